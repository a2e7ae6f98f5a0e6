"""An artefact against the model that it came from, on real test images."""

import dataclasses
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from ..checkpoint import save_state
from . import subject as subjects
from .measurement import MAX_IMAGES, Measurement, Measurements
from .subject import Subject
from .target import Limits

# glibc gives memory back after each large batch and takes it again for the next, in one process and
# not in another: the same model would look twice as slow as itself.
KEPT_MEMORY = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(1 << 30))


class NotLoadedBack(Exception):
    """The artefact was written, and a fresh process could not run it; the text is its output."""


@dataclasses.dataclass(frozen=True)
class AtBatchSize:
    """What the comparison found for batches of one size."""

    difference: float
    """Greatest absolute difference of an output."""
    eager: tuple[float, float]
    """Latency of the model in milliseconds: p50, p95."""
    exported: tuple[float, float]
    """Latency of the artefact, likewise."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The model and its artefact side by side."""

    images: int
    """How many were compared at each batch size."""
    difference: float
    """Greatest absolute difference of an output, at any batch size."""
    agreement: float
    """Share of the images for which both predict the same class, at the worst batch size."""
    accuracy_before: float
    """Share of the images that the model has right."""
    accuracy_after: float
    """Share that the artefact has right, at the worst batch size."""
    batch_sizes: dict[int, AtBatchSize]

    def over(self, limits: Limits) -> str:
        """Return what is beyond the limits, as the end of a sentence; nothing where all is well."""
        if not math.isfinite(self.difference):
            return "it gives numbers that are none, or gives some where the model gives none"
        if limits.difference is not None and self.difference > limits.difference:
            return (
                f"its outputs differ by {self.difference:.1e} from the model's; the limit is "
                f"{limits.difference:.1e}"
            )
        lost = 100 * (self.accuracy_before - self.accuracy_after)
        if limits.accuracy_points is not None and lost > limits.accuracy_points:
            return (
                f"it loses {lost:.2f} points of accuracy on the test images; the limit is "
                f"{limits.accuracy_points:.2f}"
            )
        return ""


def compare(subject: Subject, module: str, folder: Path) -> Comparison:
    """Run the test images through the model and through the artefact, each in a fresh process.

    Args:
        subject: the model, and its data
        module: full name of the target's module
        folder: where the artefact is

    Raises:
        NotLoadedBack: the artefact does not load, or does not run
    """
    test = subject.splits.test
    pairs = [test[index] for index in range(min(len(test), MAX_IMAGES))]
    images, labels = (torch.stack(parts) for parts in zip(*pairs, strict=True))
    # The model, too: in this process, after an export, it would be slower than it is.
    with tempfile.TemporaryDirectory() as scratch:
        # Its own file may have been written anew: training goes on.
        checkpoint = Path(scratch, subject.path.name)
        save_state(subject.weights, checkpoint)
        before = _measure_afresh(images, subjects.__name__, checkpoint)
    after = _measure_afresh(images, module, folder)
    return _compared(before, after, labels)


def _measure_afresh(images: Tensor, module: str, place: Path) -> Measurements:
    with tempfile.TemporaryDirectory() as scratch:
        given, result = Path(scratch, "images.pt"), Path(scratch, "result.pt")
        torch.save(images, given)
        process = subprocess.run(
            [sys.executable, "-m", f"{__package__}.load_back", module, place, given, result],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=os.environ | KEPT_MEMORY,
        )
        if process.returncode != 0:
            said = process.stdout + process.stderr
            raise NotLoadedBack(said or f"ends with {process.returncode}")
        loaded = torch.load(result, weights_only=True)
    return {size: Measurement(**values) for size, values in loaded.items()}


def _compared(before: Measurements, after: Measurements, labels: Tensor) -> Comparison:
    sizes, agreements, accuracies = {}, [], []
    for size, eager in before.items():
        exported = after[size]
        if exported.outputs.shape != eager.outputs.shape:
            raise NotLoadedBack(
                f"gives {tuple(exported.outputs.shape)} for {tuple(eager.outputs.shape)}"
            )
        sizes[size] = AtBatchSize(
            difference=(exported.outputs.double() - eager.outputs.double()).abs().max().item(),
            eager=_percentiles(eager.milliseconds),
            exported=_percentiles(exported.milliseconds),
        )
        predictions = exported.outputs.argmax(dim=1)
        agreements.append(_share(predictions == eager.outputs.argmax(dim=1)))
        accuracies.append(_share(predictions == labels))
    model = next(iter(before.values()))
    differences = torch.tensor([one.difference for one in sizes.values()])
    return Comparison(
        images=len(labels),
        # torch's max keeps a NaN; Python's would depend on the order.
        difference=differences.max().item(),
        agreement=min(agreements),
        accuracy_before=_share(model.outputs.argmax(dim=1) == labels),
        accuracy_after=min(accuracies),
        batch_sizes=sizes,
    )


def _share(hits: Tensor) -> float:
    return hits.double().mean().item()


def _percentiles(milliseconds: Tensor) -> tuple[float, float]:
    p50, p95 = milliseconds.quantile(torch.tensor([0.5, 0.95], dtype=torch.float64)).tolist()
    return p50, p95
