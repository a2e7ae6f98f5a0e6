"""What an export found, as a table for people and as ``export.json`` for programs."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from .comparison import Comparison
from .target import Written

NAME = "export.json"


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
            "images": found.images,
            "greatest_difference": found.difference,
            "agreement": found.agreement,
            "accuracy": {"before": found.accuracy_before, "after": found.accuracy_after},
            "limits": dataclasses.asdict(self.written.limits),
            "bytes": {"before": self.bytes_before, "after": self.bytes_after},
            "batch_sizes": {
                size: {
                    "greatest_difference": one.difference,
                    "milliseconds": {
                        "before": dict(zip(("p50", "p95"), one.eager, strict=True)),
                        "after": dict(zip(("p50", "p95"), one.exported, strict=True)),
                    },
                }
                for size, one in found.batch_sizes.items()
            },
        }
        return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def table(self) -> str:
        """Return the same in a few lines."""
        found = self.comparison
        rows = [
            ("", "model", self.target),
            ("accuracy", f"{found.accuracy_before:.2%}", f"{found.accuracy_after:.2%}"),
            ("same prediction", "", f"{found.agreement:.2%}"),
            ("greatest difference", "", f"{found.difference:.1e}"),
            ("size", _size(self.bytes_before), _size(self.bytes_after)),
        ]
        for size, one in found.batch_sizes.items():
            name = f"batch of {size}, p50 / p95"
            rows.append((name, _latency(one.eager), _latency(one.exported)))
        lines = [f"{name:26}{before:>22}{after:>22}" for name, before, after in rows]
        facts = [f"{name.replace('_', ' ')}: {_fact(value)}" for name, value in self._facts()]
        return "\n".join([f"{found.images} test images", *lines, *facts])

    def _facts(self) -> list[tuple[str, Any]]:
        # What is itself a table is for export.json alone.
        return [
            (name, value)
            for name, value in self.written.facts.items()
            if not isinstance(value, dict)
        ]


def size_of(paths: list[Path]) -> int:
    """Return the bytes in files, and in all that is in folders."""
    files = [file for path in paths for file in (path, *path.rglob("*")) if file.is_file()]
    return sum(file.stat().st_size for file in files)


def _size(count: int) -> str:
    return f"{count / 1000:,.0f} kB"


def _latency(percentiles: tuple[float, float]) -> str:
    p50, p95 = percentiles
    return f"{p50:.2f} / {p95:.2f} ms"


def _fact(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
