"""The benchmark of training follows the trainers that it measures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
TASKS = ("digits", "tabular", "sequence")


def measure(*words: str) -> str:
    """Run one of its programs; return the last line that it prints."""
    result = subprocess.run(
        [sys.executable, *words],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("package", TASKS)
def test_each_task_s_trainer_is_measured_beside_a_bare_loop(package: str) -> None:
    measured = json.loads(measure(str(BENCHMARKS / "training_steps.py"), package, "20", "1"))

    # Not how fast: that is for `make benchmarks`, on a machine with nothing else to do.
    assert measured["steps"]["ratio"] > 0
    assert {"the generated trainer", "a bare PyTorch loop"} <= set(measured["rates"])
    assert all(rate > 0 for rate in measured["rates"].values())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ours", "theirs"])
def test_its_start_is_measured_too(kind: str) -> None:
    script = str(BENCHMARKS / "training_start.py")

    assert float(measure(script, "digits", kind, str(time.time()))) > 0
