"""Faults of a task's data and model end a run with what is wrong, and leave no process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .running import run, small

SCRIPT = Path(__file__).with_name("broken_runs.py")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "status", "complaint"),
    [
        (
            "file",
            2,
            "error: A sample of task/data.py cannot be read: "
            "OSError: cannot identify image file '3.png'\n",
        ),
        ("exit", 1, "exited unexpectedly"),
        ("value", 1, "ValueError: a fault of the task's own\n"),
    ],
)
def test_a_run_ends_whose_workers_fail(
    fault: str, status: int, complaint: str, tmp_path: Path
) -> None:
    words = [sys.executable, str(SCRIPT), fault, *small("fourth", "--workers=2")]
    # It returns when the last process that writes has ended.
    ended, _, errors = run([*words, "--output-dir", str(tmp_path / "run")])

    assert ended == status, errors
    assert complaint in errors
    assert ("Traceback" in errors) is (fault == "value")


@pytest.mark.slow
def test_several_processes_report_a_parameter_that_the_loss_does_not_reach(tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    words = [*torchrun, str(SCRIPT), "unreached", *small("fourth", "--workers=0")]
    ended, _, errors = run([*words, "--output-dir", str(tmp_path / "run")])

    assert ended == 1, errors
    ours = errors.partition("ChildFailedError")[0]
    assert ours.count("error: The loss does not depend on extra.weight, extra.bias: several") == 1
