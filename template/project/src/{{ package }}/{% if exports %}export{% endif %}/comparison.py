"""An artefact against the model that it came from, on real test samples, in a fresh process.

    python -m PACKAGE.export.comparison MODULE FOLDER CHECKPOINT EXAMPLE RESULT

is that process: MODULE is the target's, FOLDER the artefact's, and RESULT is written.
"""

import dataclasses
import importlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from .target import Limits

if TYPE_CHECKING:
    from ..interface import Inputs
    from .subject import Subject

BATCH_SIZES = (1, 3, 7, 64)
"""An artefact that fits one batch size by chance fails another: one and odd ones are among them."""

WARM_UP, TIMED, SECONDS = 5, 50, 1.0
"""Batches before the clock runs, batches that it times at most, and for how long."""

# glibc gives memory back after each large batch and takes it again for the next, in one process and
# not in another: the same model would look twice as slow as itself.
KEPT_MEMORY = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(1 << 30))

Latency = tuple[float, float]
"""Of a batch in milliseconds: p50, p95."""


class NotLoadedBack(Exception):
    """The artefact was written, and a fresh process could not run it; the text is its output."""


@dataclasses.dataclass
class AtBatchSize:
    """What the comparison found for batches of one size."""

    difference: float
    """Greatest difference of an output, relative to the largest one where that is above 1."""
    before: dict[str, float]
    """The task's metrics of the model; empty where they cannot be computed."""
    after: dict[str, float]
    """The task's metrics of the artefact."""
    degradation: float
    """How much worse the artefact is, in the primary metric."""
    latency_before: Latency
    latency_after: Latency


@dataclasses.dataclass
class Comparison:
    """The model and its artefact side by side."""

    samples: int
    """How many were compared at each batch size."""
    primary: str
    """Name of the task's primary metric."""
    metric_error: str
    """Why that cannot be computed; empty where it can."""
    edges: dict[str, dict[int, float]]
    """The difference at the smallest and largest size of each dimension beside the batch."""
    batch_sizes: dict[int, AtBatchSize]

    @property
    def proved(self) -> bool:
        """Whether the artefact was also judged by the task's own metric."""
        return not self.metric_error

    @property
    def difference(self) -> float:
        """Greatest difference of an output, at any size."""
        found = [one.difference for one in self.batch_sizes.values()]
        found += [difference for sizes in self.edges.values() for difference in sizes.values()]
        # torch's max keeps a NaN; Python's would depend on the order.
        return torch.tensor(found).max().item()

    @property
    def worst(self) -> AtBatchSize:
        """The batch size that costs most of the primary metric."""
        return max(self.batch_sizes.values(), key=lambda one: one.degradation)

    def over(self, limits: Limits) -> str:
        """Return what is beyond the limits, as the end of a sentence; nothing where all is well."""
        if not math.isfinite(self.difference):
            return "some of its outputs, or of the model's, are not finite numbers"
        if limits.difference is not None and self.difference > limits.difference:
            return (
                f"its outputs differ by {self.difference:.1e} from the model's; the limit is "
                f"{limits.difference:.1e}"
            )
        if limits.metric_loss is None:
            return ""
        if self.metric_error:
            return f"what it loses cannot be measured: {self.metric_error}"
        worst = self.worst
        if worst.degradation > limits.metric_loss:
            before, after = (figures[self.primary] for figures in (worst.before, worst.after))
            return (
                f"{self.primary} goes from {before:.4g} to {after:.4g} on the test samples; it may "
                f"lose {limits.metric_loss:.4g}"
            )
        return ""


def compare(subject: "Subject", module: str, folder: Path) -> Comparison:
    """Run test samples through the model and the artefact.

    Args:
        subject: the model, and its data
        module: full name of the target's module
        folder: where the artefact is

    Raises:
        NotLoadedBack: the artefact does not load, or does not run
    """
    from ..checkpoints.state import save_state

    with tempfile.TemporaryDirectory() as scratch:
        # The run's own checkpoint may have been written anew: training goes on.
        checkpoint, example, result = (
            Path(scratch, name) for name in (subject.path.name, "inputs", "result.json")
        )
        save_state(subject.weights, checkpoint)
        torch.save(subject.example(), example)
        paths = map(str, (folder, checkpoint, example, result))
        process = subprocess.run(
            [sys.executable, "-m", f"{__package__}.comparison", module, *paths],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=os.environ | KEPT_MEMORY,
        )
        if process.returncode != 0:
            printed = process.stdout + process.stderr
            raise NotLoadedBack(printed or f"ends with {process.returncode}")
        found = json.loads(result.read_text(encoding="utf-8"))
    return Comparison(
        **found
        | {
            "edges": {
                name: {int(size): value for size, value in sizes.items()}
                for name, sizes in found["edges"].items()
            },
            "batch_sizes": {
                int(size): AtBatchSize(**one) for size, one in found["batch_sizes"].items()
            },
        }
    )


def main(module: str, folder: str, checkpoint: str, example: str, result: str) -> None:
    """Load, run and write."""
    predict = importlib.import_module(module).load(Path(folder))
    # Before the model's own code is imported: whoever gets the artefact has none of it.
    with torch.inference_mode():
        predict(torch.load(example, weights_only=True))
    found = _measured(Path(checkpoint), predict)
    Path(result).write_text(json.dumps(dataclasses.asdict(found)), encoding="utf-8")


def _measured(checkpoint: Path, predict: "Callable[[Inputs], Any]") -> Comparison:
    from ..task.objective import PRIMARY, Metrics
    from .subject import edges, load_subject, resized

    subject = load_subject(checkpoint)
    model: Callable[[Inputs], Any] = lambda given: subject.model(**given)  # noqa: E731
    found = Comparison(subject.count, PRIMARY.name, metric_error="", edges={}, batch_sizes={})
    limits = subject.batch
    sizes = [one for one in BATCH_SIZES if limits.minimum <= one <= (limits.maximum or one)]
    with torch.inference_mode():
        for name, dimension in subject.dimensions.items():
            if dimension != limits:
                found.edges[name] = {
                    size: _compared(model, predict, resized(subject.example(), {name: size}))[2]
                    for size in sorted(edges(dimension))
                }
        for size in sizes or [limits.minimum]:
            before, after, differences = Metrics(), Metrics(), []
            for batch in subject.batches(size):
                outputs, exported, difference = _compared(model, predict, subject.inputs_of(batch))
                differences.append(difference)
                try:
                    before.update(outputs, batch)
                    after.update(exported, batch)
                except Exception as error:
                    found.metric_error = _metric_failed(PRIMARY.name, error)
            given = resized(subject.example(), {limits.name: size})
            found.batch_sizes[size] = AtBatchSize(
                difference=torch.tensor(differences).max().item(),
                before={},
                after={},
                degradation=0.0,
                latency_before=_latency(model, given),
                latency_after=_latency(predict, given),
            )
            if not found.metric_error:
                try:
                    figures = [one.compute() for one in (before, after)]
                    values = [float(one[PRIMARY.name]) for one in figures]
                    if not all(map(math.isfinite, values)):
                        raise ValueError(f"it is {values[0]} before and {values[1]} after")
                except Exception as error:
                    found.metric_error = _metric_failed(PRIMARY.name, error)
                else:
                    one = found.batch_sizes[size]
                    one.before, one.after = figures
                    one.degradation = PRIMARY.degradation(*values)
    return found


def _metric_failed(name: str, error: Exception) -> str:
    text = str(error).partition("\n")[0]
    return f"{name} cannot be computed on the test samples ({type(error).__name__}: {text})"


def _compared(
    model: "Callable[[Inputs], Any]",
    predict: "Callable[[Inputs], Any]",
    given: "Inputs",
) -> tuple[Any, Any, float]:
    """Return the outputs of model and artefact, as trees of one kind, and their difference."""
    # Each has inputs of its own: a model may write into what it is given.
    outputs, spec = pytree.tree_flatten(model(_cloned(given)))
    exported = pytree.tree_leaves(predict(_cloned(given)))
    shapes = [[(tuple(one.shape), one.dtype) for one in side] for side in (outputs, exported)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"the artefact gives {shapes[1]} for {shapes[0]}")
    differences = [
        _difference(one, other) for one, other in zip(outputs, exported, strict=True)
    ]
    return (
        pytree.tree_unflatten(outputs, spec),
        pytree.tree_unflatten(exported, spec),
        torch.tensor(differences).max().item(),
    )


def _difference(output: Tensor, exported: Tensor) -> float:
    if output.numel() == 0:
        return 0.0
    first, other = output.double(), exported.double()
    # Infinities mask logits; where both sides have the same one, their difference would be NaN.
    difference = torch.where(first == other, 0.0, (first - other).abs())
    largest = first[first.isfinite()].abs().max().item() if first.isfinite().any() else 0.0
    return difference.max().item() / max(1.0, largest)


def _cloned(given: "Inputs") -> "Inputs":
    return {name: tensor.clone() for name, tensor in given.items()}


def _latency(predict: "Callable[[Inputs], Any]", given: "Inputs") -> Latency:
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(times) <= WARM_UP or (len(times) < WARM_UP + TIMED and time.perf_counter() < end):
        start = time.perf_counter()
        predict(given)
        times.append(1000 * (time.perf_counter() - start))
    times = times[WARM_UP:]
    p50, p95 = torch.tensor(times).quantile(torch.tensor([0.5, 0.95])).tolist()
    return p50, p95


if __name__ == "__main__":
    main(*sys.argv[1:])
