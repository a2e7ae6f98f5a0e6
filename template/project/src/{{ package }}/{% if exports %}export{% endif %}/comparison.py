"""An artefact against the model that it came from, on real test samples, in a fresh process.

    python -m PACKAGE.export.comparison MODULE FOLDER CHECKPOINT EXAMPLE RESULT

is that process: MODULE is the target's, FOLDER the artefact's, and RESULT is written.
"""

import contextlib
import dataclasses
import importlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from .target import Limits

if TYPE_CHECKING:
    from ..interface import Inputs
    from .subject import Subject

    Predict = Callable[[Inputs], Any]

BATCH_SIZES = (1, 3, 7, 64)
"""An artefact that fits one batch size by chance fails another: one and odd ones are among them."""

WARM_UP, TIMED, SECONDS = 5, 50, 1.0
"""Batches before the clock runs, batches that it times at most, and for how long."""

# glibc gives memory back after each large batch and takes it again for the next, in one process and
# not in another: the same model would look twice as slow as itself.
KEPT_MEMORY = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(1 << 30))


class NotLoadedBack(Exception):
    """The artefact was written, and a fresh process could not run it; the text is its output."""


@dataclasses.dataclass
class Comparison:
    """The model and its artefact side by side."""

    samples: int
    """How many were compared at each batch size."""
    primary: str
    """Name of the task's primary metric."""
    greatest_difference: float = 0.0
    """Of an output, at any size, relative to the largest output where that is above 1."""
    metric_error: str = ""
    """Why the primary metric cannot be computed; empty where it can."""
    degradation: float = -math.inf
    """How much worse the artefact is in it, at the worst batch size."""
    before: dict[str, float] = dataclasses.field(default_factory=dict)
    """The task's metrics of the model, at that batch size."""
    after: dict[str, float] = dataclasses.field(default_factory=dict)
    """Those of the artefact."""
    edges: dict[str, float] = dataclasses.field(default_factory=dict)
    """The difference at the least and the greatest size of each dynamic dimension."""
    batch_sizes: dict[str, Any] = dataclasses.field(default_factory=dict)
    """By batch size: the difference, and p50 and p95 of the latency in milliseconds."""

    @property
    def proved(self) -> bool:
        """Whether the artefact was also judged by the task's own metric."""
        return not self.metric_error

    def over(self, limits: Limits) -> str:
        """Return what is beyond the limits, as the end of a sentence; nothing where all is well."""
        difference, allowed = self.greatest_difference, limits.difference
        if not math.isfinite(difference):
            return "some of its outputs, or of the model's, are not finite numbers"
        if allowed is not None and difference > allowed:
            return (
                f"its outputs differ by {difference:.1e} from the model's; the limit is "
                f"{allowed:.1e}"
            )
        if limits.metric_loss is None:
            return ""
        if self.metric_error:
            return f"what it loses cannot be measured: {self.metric_error}"
        if self.degradation > limits.metric_loss:
            before, after = self.before[self.primary], self.after[self.primary]
            return (
                f"{self.primary} goes from {before:.4g} to {after:.4g} on the test samples; it may "
                f"lose {limits.metric_loss:.4g}"
            )
        return ""

    @contextlib.contextmanager
    def judging(self) -> Iterator[None]:
        """Keep what the task's metrics raise as the reason why they say nothing."""
        try:
            yield
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            self.metric_error = f"{self.primary} of the test samples cannot be computed ({reason})"


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
        checkpoint, example, result = (
            Path(scratch, name) for name in (subject.path.name, "inputs", "result")
        )
        # The run's own checkpoint may have been written anew: training goes on.
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
        return Comparison(**json.loads(result.read_text(encoding="utf-8")))


def main(module: str, folder: str, checkpoint: str, example: str, result: str) -> None:
    """Load, run and write."""
    predict = importlib.import_module(module).load(Path(folder))
    # Before the model's own code is imported: whoever gets the artefact has none of it.
    with torch.inference_mode():
        predict(torch.load(example, weights_only=True))
        found = _measured(Path(checkpoint), predict)
    Path(result).write_text(json.dumps(dataclasses.asdict(found)), encoding="utf-8")


def _measured(checkpoint: Path, predict: "Predict") -> Comparison:
    from ..task.objective import PRIMARY, Metrics
    from .subject import edges, load_subject, resized

    subject = load_subject(checkpoint)
    limits = subject.batch
    found = Comparison(subject.count, PRIMARY.name)

    def model(given: "Inputs") -> Any:
        return subject.model(**given)

    for name, dimension in subject.dimensions.items():
        for size in sorted(edges(dimension)):
            given = resized(subject.example(), {name: size})
            *_, found.edges[f"{name} {size}"] = _compared(model, predict, given)
    sizes = [one for one in BATCH_SIZES if limits.minimum <= one <= (limits.maximum or one)]
    for size in sizes or [limits.minimum]:
        before, after, differences = Metrics(), Metrics(), []
        for batch in subject.batches(size):
            output, exported, difference = _compared(model, predict, subject.inputs_of(batch))
            differences.append(difference)
            with found.judging():
                before.update(output, batch)
                after.update(exported, batch)
        given = resized(subject.example(), {limits.name: size})
        found.batch_sizes[str(size)] = {
            "greatest_difference": _greatest(differences),
            "milliseconds": {"before": _latency(model, given), "after": _latency(predict, given)},
        }
        # Once an update has failed, there is nothing to compute.
        if not found.metric_error:
            with found.judging():
                figures = before.compute(), after.compute()
                values = [float(one[PRIMARY.name]) for one in figures]
                if not all(map(math.isfinite, values)):
                    raise ValueError(f"it is {values[0]} before and {values[1]} after")
                if (degradation := PRIMARY.degradation(*values)) > found.degradation:
                    found.degradation, (found.before, found.after) = degradation, figures
    at_sizes = [one["greatest_difference"] for one in found.batch_sizes.values()]
    found.greatest_difference = _greatest([*found.edges.values(), *at_sizes])
    return found


def _compared(model: "Predict", predict: "Predict", given: "Inputs") -> tuple[Any, Any, float]:
    """Return the outputs of model and artefact, as trees of one kind, and their difference."""
    # Each has inputs of its own: a model may write into what it is given.
    copies = [{name: tensor.clone() for name, tensor in given.items()} for _ in range(2)]
    outputs, tree = pytree.tree_flatten(model(copies[0]))
    exported = pytree.tree_leaves(predict(copies[1]))
    shapes, others = (
        [(tuple(one.shape), one.dtype) for one in leaves] for leaves in (outputs, exported)
    )
    if shapes != others:
        raise ValueError(f"the artefact returns {others} where the model returns {shapes}")
    differences = [_difference(*pair) for pair in zip(outputs, exported, strict=True)]
    trees = (pytree.tree_unflatten(leaves, tree) for leaves in (outputs, exported))
    return (*trees, _greatest(differences))


def _greatest(differences: list[float]) -> float:
    # torch's max keeps a NaN.
    return torch.tensor([0.0, *differences], dtype=torch.float64).max().item()


def _difference(output: Tensor, exported: Tensor) -> float:
    if output.numel() == 0:
        return 0.0
    first, other = output.double(), exported.double()
    # Infinities mask logits; where both sides have the same one, their difference would be NaN.
    difference = torch.where(first == other, 0.0, (first - other).abs())
    largest = torch.where(first.isfinite(), first.abs(), 0.0).max().item()
    return difference.max().item() / max(1.0, largest)


def _latency(predict: "Predict", given: "Inputs") -> dict[str, float]:
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(times) <= WARM_UP or (len(times) < WARM_UP + TIMED and time.perf_counter() < end):
        start = time.perf_counter()
        predict(given)
        times.append(1000 * (time.perf_counter() - start))
    percentiles = torch.tensor(times[WARM_UP:]).quantile(torch.tensor([0.5, 0.95])).tolist()
    return dict(zip(("p50", "p95"), percentiles, strict=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
