"""What travels with an artefact, and what its export found."""

import dataclasses
import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import torch

from ..task.data import DYNAMIC, PREPROCESSING
from ..task.objective import PRIMARY
from .comparison import Comparison
from .subject import Shape, Subject
from .target import Written

# Count it up when the form of the metadata changes.
FORMAT = 2

PACKAGE = __package__.partition(".")[0]
"""Name of the project's package, and so of its model."""


def describe(subject: Subject) -> dict[str, Any]:
    """Return the metadata: all that one needs to feed an artefact, and to find its source."""
    example = subject.example()
    input_shapes: dict[str, Shape] = {name: list(one.shape) for name, one in example.items()}
    for name, axes in DYNAMIC.items():
        for axis, dimension in axes.items():
            input_shapes[name][axis] = dimension.name
    return {
        "format": FORMAT,
        "name": PACKAGE,
        "inputs": _tensors(example, input_shapes),
        "outputs": _tensors(subject.outputs(example), subject.output_shapes()),
        "dimensions": {
            name: {"minimum": dimension.minimum, "maximum": dimension.maximum}
            for name, dimension in subject.dimensions.items()
        },
        "preprocessing": PREPROCESSING,
        "primary": {"name": PRIMARY.name, "direction": PRIMARY.direction},
        "validation": _finite(subject.weights.metrics),
        "checkpoint": {
            "file": subject.path.name,
            "sha256": subject.sha256,
            "epoch": subject.weights.epoch,
        },
        "git": _git(),
        "torch": str(torch.__version__),
    }


@dataclasses.dataclass(frozen=True)
class Report:
    """All that is known of one export; the sizes are those of checkpoint and artefact."""

    target: str
    metadata: dict[str, Any]
    written: Written
    comparison: Comparison
    bytes_before: int
    bytes_after: int

    def to_json(self) -> str:
        """Return the content of ``export.json``."""
        found = dataclasses.asdict(self.comparison)
        metrics = {side: _finite(found.pop(side)) for side in ("before", "after")}
        values = {
            "target": self.target,
            **dataclasses.asdict(self.written),
            "metadata": self.metadata,
            "proved": self.comparison.proved,
            **found,
            "degradation": found["degradation"] if self.comparison.proved else None,
            "metrics": metrics,
            "bytes": {"before": self.bytes_before, "after": self.bytes_after},
        }
        return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def table(self) -> str:
        """Return the same in a few lines."""
        found = self.comparison
        rows = [("", "model", self.target)]
        for name, value in found.before.items():
            rows.append((name, f"{value:.5g}", f"{found.after[name]:.5g}"))
        rows.append(("greatest difference", "", f"{found.greatest_difference:.1e}"))
        sizes = (self.bytes_before, self.bytes_after)
        before, after = (f"{size / 1000:,.0f} kB" for size in sizes)
        rows.append(("size", before, after))
        for size, one in found.batch_sizes.items():
            sides = one["milliseconds"].values()
            before, after = (f"{side['p50']:.2f} / {side['p95']:.2f} ms" for side in sides)
            rows.append((f"batch of {size}, p50 / p95", before, after))
        lines = [f"{name:26}{before:>22}{after:>22}" for name, before, after in rows]
        # What is itself a table is for export.json alone.
        facts = [
            f"{name.replace('_', ' ')}: {value}"
            for name, value in self.written.facts.items()
            if not isinstance(value, dict)
        ]
        return "\n".join([f"{found.samples} test samples", *lines, *facts])


def size_of(paths: list[Path]) -> int:
    """Return the bytes in files, and in all that is in folders."""
    files = [file for path in paths for file in (path, *path.rglob("*")) if file.is_file()]
    return sum(file.stat().st_size for file in files)


def _tensors(named: dict[str, torch.Tensor], shapes: dict[str, Shape]) -> list[dict[str, Any]]:
    types = {name: str(tensor.dtype).removeprefix("torch.") for name, tensor in named.items()}
    return [{"name": name, "dtype": types[name], "shape": shapes[name]} for name in named]


def _finite(figures: dict[str, float]) -> dict[str, float | None]:
    # JSON has no NaN.
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def _git() -> dict[str, Any] | None:
    """Return the commit of this code, and whether more than that commit is in it."""
    # Installed into the environment of another repository, it is not one of that one's commits.
    try:
        _git_output("ls-files", "--error-unmatch", "--", __file__)
        commit = _git_output("rev-parse", "HEAD")
        dirty = bool(_git_output("status", "--porcelain", "--", "."))
    except (OSError, subprocess.CalledProcessError) as _:
        # No git, no repository, or one without a commit.
        return None
    return {"commit": commit, "dirty": dirty}


def _git_output(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent.parent), *arguments]
    # A git hook's environment says which repository it is about.
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    output = subprocess.check_output(command, env=own, stderr=subprocess.DEVNULL, text=True)
    return output.strip()
