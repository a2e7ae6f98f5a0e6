"""The benchmark of latency follows the exports that it measures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Program, Render

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_an_export_is_measured_beside_the_model(
    render: Render,
    program: Program,
    environment: dict[str, str],
) -> None:
    repository = render(package="measured")
    program(
        repository, "measured.train", "--device", "cpu", "--epochs", "3", "--output-dir", "runs"
    )
    checkpoint, out = repository / "runs" / "best.pt", repository / "out"
    paths = ("--checkpoint", str(checkpoint), "--out", str(out))
    program(repository, "measured.export", "torch-export", *paths)

    script = ROOT / "benchmarks" / "latency_pairs.py"
    for module in ("measured.export.torch_export", "eager"):
        options = ["measured", module, str(checkpoint), str(out), "20", "1", "64"]
        result = subprocess.run(
            [sys.executable, str(script), *options],
            cwd=repository,
            env=environment,
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )

        assert result.returncode == 0, result.stderr
        measured = json.loads(result.stdout.splitlines()[-1])
        # Not how fast: that is for `make benchmarks`, on a machine with nothing else to do.
        assert set(measured) == {"1", "64"}
        assert all(pairs["ratio"] > 0 for pairs in measured.values())
