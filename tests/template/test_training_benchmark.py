"""The benchmark of a training step follows the trainer that it measures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Render

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_generated_trainer_is_measured_beside_a_bare_loop(
    render: Render,
    environment: dict[str, str],
) -> None:
    script = ROOT / "benchmarks" / "training_steps.py"
    result = subprocess.run(
        [sys.executable, str(script), "measured", "20", "2"],
        cwd=render(package="measured"),
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    measured = json.loads(result.stdout.splitlines()[-1])
    # Not how fast: that is for `make benchmarks`, on a machine with nothing else to do.
    assert measured["steps"]["ratio"] > 0
    assert {"the generated trainer", "a bare PyTorch loop"} <= set(measured["rates"])
    assert all(rate > 0 for rate in measured["rates"].values())
