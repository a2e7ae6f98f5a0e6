"""What a model answers to the test images, and how long that takes, whatever it runs in."""

import dataclasses
import time
from collections.abc import Callable

import torch
from torch import Tensor

BATCH_SIZES = (1, 3, 7, 64)
"""An artefact that fits one batch size by chance fails another: one and odd ones are among them."""

MAX_IMAGES = 1000
"""Images that are compared at each batch size."""

WARM_UP, TIMED = 5, 50
"""Batches before the clock runs, and batches that it times."""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """The answers in batches of one size, and the time that a batch took."""

    outputs: Tensor
    """``(N, ...)``, of all images in their order."""
    milliseconds: Tensor
    """``(TIMED,)``, of full batches."""


Measurements = dict[int, Measurement]
"""One for each batch size."""


def measure(predict: Callable[[Tensor], Tensor], images: Tensor) -> Measurements:
    """Run images ``(N, ...)`` in batches of each size; the last batch may be a smaller one."""
    measured = {}
    with torch.inference_mode():
        for size in BATCH_SIZES:
            full = torch.arange(size) % len(images)
            # Copies: a model may write into its input, and some runtimes use the memory of an
            # answer again for the next.
            answers = [predict(batch.clone()).clone() for batch in images.split(size)]
            measured[size] = Measurement(torch.cat(answers), _milliseconds(predict, images[full]))
    return measured


def _milliseconds(predict: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
    for _ in range(WARM_UP):
        predict(batch)
    times = []
    for _ in range(TIMED):
        start = time.perf_counter()
        predict(batch)
        times.append(time.perf_counter() - start)
    return torch.tensor(times, dtype=torch.float64) * 1000
