"""How fast the exports of a generated repository are, beside the model itself."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
NNSCAFFOLD = str(Path(sys.executable).parent / "nnscaffold")
BATCH_SIZES, PAIRS = (1, 64), 500
TARGETS = ("onnx", "torch-export", "quantize", "prune", "aoti", "torchscript")
# As a user types them, behind `python -m PACKAGE.export`.
EXPORTS = (
    "torch-export",
    "aoti",
    "torchscript",
    "onnx",
    "quantize --method onnx",
    "quantize --method dynamic",
    "quantize --method weight-only",
    "prune",
)
# The greatest ratio to the model's own time that we accept, at either batch size.
LIMITS = {"aoti": 1.0, "quantize --method onnx": 1.0}
# By default, glibc gives memory back after each batch and asks for it again in the next:
# whether it does is up to what else a process holds, and it doubles the time of a batch.
ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    # With more of them, other processes decide how long they wait for each other.
    "OMP_NUM_THREADS": "1",
}


class Pairs(NamedTuple):
    """What the pairs of one batch size came to.

    Attributes:
        model: Median seconds of the model.
        other: Median seconds of what is measured beside it.
        ratio: The median of the pairs' ratios.
    """

    model: float
    other: float
    ratio: float


class Row(NamedTuple):
    """One thing that runs the model.

    Attributes:
        name: What it is called in the table: an export's options, if it is one.
        pairs: What was measured, by batch size.
        kilobytes: Size of its files; None where it has none.
        accuracy: Share of the test images that it has right; None: not measured.
    """

    name: str
    pairs: dict[int, Pairs]
    kilobytes: float | None = None
    accuracy: float | None = None

    @property
    def misses_target(self) -> bool:
        """Whether a ratio, as it is printed, is above what we accept."""
        limit = LIMITS.get(self.name)
        return limit is not None and any(round(one.ratio, 2) > limit for one in self.pairs.values())


class Latency(NamedTuple):
    """All rows of the table."""

    rows: list[Row]

    @property
    def missed(self) -> list[str]:
        """The rows that are slower than we accept."""
        return [f"`{row.name}` / the model itself" for row in self.rows if row.misses_target]

    def table(self) -> str:
        """All of it, for people."""
        sizes = " | ".join(f"batch of {size}, ms | ratio" for size in BATCH_SIZES)
        lines = [
            f"Exports on one core, {PAIRS} pairs of batches each with the model itself; medians",
            "",
            f"| what runs the model | {sizes} | target | size, kB | test accuracy |",
            f"|---|{'---|' * (2 * len(BATCH_SIZES) + 3)}",
        ]
        for row in self.rows:
            cells = [f"`{row.name}`" if row.name in EXPORTS else row.name]
            for pairs in row.pairs.values():
                cells += [f"{pairs.other * 1e3:.3f}", f"{pairs.ratio:.2f}"]
            limit = LIMITS.get(row.name)
            cells += [
                "" if limit is None else f"≤ {limit}",
                "" if row.kilobytes is None else f"{row.kilobytes:.0f}",
                "" if row.accuracy is None else f"{row.accuracy:.2%}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)


def measure(scratch: Path) -> Latency:
    """Train a model in a new repository, export it in every way, and time what comes out."""
    scratch.mkdir()
    targets = f"exports=[{','.join(TARGETS)}]"
    _run([NNSCAFFOLD, "new", "project", "exported", "--defaults", "-q", "-d", targets], scratch)
    repository = scratch / "exported"
    (package,) = (folder.name for folder in (repository / "src").iterdir())
    train = ["-m", f"{package}.train", "--device", "cpu", "--output-dir", "runs"]
    _run([sys.executable, *train], repository)
    checkpoint = repository / "runs" / "best.pt"

    def timed(module: str, folder: Path) -> dict[int, Pairs]:
        pairs = [str(HERE / "latency_pairs.py"), package, module, str(checkpoint), str(folder)]
        sizes = [str(PAIRS), *map(str, BATCH_SIZES)]
        said = _run([sys.executable, *pairs, *sizes], repository)
        measured = json.loads(said.splitlines()[-1])
        return {int(size): Pairs(**values) for size, values in measured.items()}

    rows = [
        Row("the model itself", timed("eager", repository)),
        Row("`torch.compile`", timed("compile", repository)),
    ]
    for number, export in enumerate(EXPORTS):
        folder = repository / f"out{number}"
        options = [*shlex.split(export), "--checkpoint", str(checkpoint), "--out", str(folder)]
        result = _start([sys.executable, "-m", f"{package}.export", *options], repository)
        if result.returncode == 2:
            print(f"skipped: {export} ({result.stderr.strip()})", file=sys.stderr)
            continue
        _expect_success(result)
        report = json.loads((folder / "export.json").read_text(encoding="utf-8"))
        size = report["bytes"]
        accuracy = {side: found["accuracy"] for side, found in report["metrics"].items()}
        rows[0] = rows[0]._replace(
            kilobytes=size["before"] / 1000,
            accuracy=accuracy["before"],
        )
        module = f"{package}.export.{export.split()[0].replace('-', '_')}"
        rows.append(
            Row(
                export,
                timed(module, folder),
                kilobytes=size["after"] / 1000,
                accuracy=accuracy["after"],
            )
        )
        print(f"measured: {export} / the model itself", file=sys.stderr)
    return Latency(rows)


def _run(command: list[str], folder: Path) -> str:
    result = _start(command, folder)
    _expect_success(result)
    return result.stdout


def _start(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **ENVIRONMENT, "PYTHONPATH": str(folder / "src")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _expect_success(result: subprocess.CompletedProcess[str]) -> None:
    if result.returncode:
        sys.exit(f"{shlex.join(result.args)}: {result.stdout}{result.stderr}")
