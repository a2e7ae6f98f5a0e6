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
from .comparison import Comparison, Latency
from .subject import Subject
from .target import Written

# Count it up when the form of the metadata changes.
FORMAT = 2

PACKAGE = __package__.partition(".")[0]
"""Name of the project's package, and so of its model."""


def describe(subject: Subject) -> dict[str, Any]:
    """Return the metadata, with which whoever gets an artefact alone can feed it, and find its source."""
    example = subject.example()
    outputs, shapes = subject.outputs(example), subject.output_shapes()
    inputs = {
        name: [
            DYNAMIC[name][axis].name if axis in DYNAMIC[name] else size
            for axis, size in enumerate(tensor.shape)
        ]
        for name, tensor in example.items()
    }
    return {
        "format": FORMAT,
        "name": PACKAGE,
        "inputs": [
            {"name": name, "dtype": _dtype(tensor), "shape": inputs[name]}
            for name, tensor in example.items()
        ],
        "outputs": [
            {"name": name, "dtype": _dtype(tensor), "shape": shapes[name]}
            for name, tensor in outputs.items()
        ],
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
    """All that is known of one export."""

    target: str
    metadata: dict[str, Any]
    written: Written
    comparison: Comparison
    bytes_before: int
    """Size of the checkpoint."""
    bytes_after: int
    """Size of the artefact."""

    def to_json(self) -> str:
        """Return the content of ``export.json``."""
        found = self.comparison
        values = {
            "target": self.target,
            "files": list(self.written.files),
            "facts": self.written.facts,
            "metadata": self.metadata,
            "samples": found.samples,
            "proved": found.proved,
            "metric_error": found.metric_error or None,
            "greatest_difference": found.difference,
            "metrics": {
                "before": _finite(found.worst.before),
                "after": _finite(found.worst.after),
            },
            "degradation": found.worst.degradation if found.proved else None,
            "limits": dataclasses.asdict(self.written.limits),
            "bytes": {"before": self.bytes_before, "after": self.bytes_after},
            "differences_at_edges": found.edges,
            "batch_sizes": {
                size: {
                    "greatest_difference": one.difference,
                    "milliseconds": {
                        "before": dict(zip(("p50", "p95"), one.latency_before, strict=True)),
                        "after": dict(zip(("p50", "p95"), one.latency_after, strict=True)),
                    },
                }
                for size, one in found.batch_sizes.items()
            },
        }
        return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def table(self) -> str:
        """Return the same in a few lines."""
        found = self.comparison
        rows = [("", "model", self.target)]
        for name, value in found.worst.before.items():
            rows.append((name, f"{value:.5g}", f"{found.worst.after[name]:.5g}"))
        rows += [
            ("greatest difference", "", f"{found.difference:.1e}"),
            ("size", _size(self.bytes_before), _size(self.bytes_after)),
        ]
        for size, one in found.batch_sizes.items():
            name = f"batch of {size}, p50 / p95"
            rows.append((name, _latency(one.latency_before), _latency(one.latency_after)))
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


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _finite(figures: dict[str, float]) -> dict[str, float | None]:
    # JSON has no NaN.
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def _size(count: int) -> str:
    return f"{count / 1000:,.0f} kB"


def _latency(percentiles: Latency) -> str:
    p50, p95 = percentiles
    return f"{p50:.2f} / {p95:.2f} ms"


def _git() -> dict[str, Any] | None:
    """Return the commit of this code, and whether more than that commit is in it."""
    # Installed into the environment of another repository, it is not one of that one's commits.
    tracked = _git_output("ls-files", "--error-unmatch", "--", __file__)
    commit = _git_output("rev-parse", "HEAD")
    if tracked is None or commit is None:
        return None
    changes = _git_output("status", "--porcelain", "--", ".")
    return {"commit": commit, "dirty": bool(changes)}


def _git_output(*arguments: str) -> str | None:
    command = ["git", "-C", str(Path(__file__).parent.parent), *arguments]
    try:
        process = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            check=True,
            # A git hook's environment says which repository it is about.
            env={name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        )
    except (OSError, subprocess.CalledProcessError) as _:
        # No git, no repository, or one without a commit.
        return None
    return process.stdout.strip()
