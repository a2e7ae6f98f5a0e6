"""The check on two processes: when it is left out, and what becomes of its processes."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from good import GOOD
from module_contract.core import Case, Contract, outcome_of
from module_contract.findings import NotApplicable
from stated import WithLinear, stated
from torch import distributed, nn

HERE = Path(__file__).parent
SUITE_FOLDER = HERE.parents[1] / "template" / "project" / "tests"
PROGRAM = textwrap.dedent("""
    import sys

    from good import GOOD
    from module_contract.isolation import started
    from module_contract.core import Case
    from module_contract.core import outcome_of

    if __name__ == "__main__":
        outcome = outcome_of(Case(GOOD["CountsTogether"]), "two_processes")
        print(outcome, *[process.pid for process in started().processes], flush=True)
        sys.stdin.read()
""")


def reason(contract: Contract) -> str:
    """Why the check is left out."""
    outcome = outcome_of(Case(contract), "two_processes")
    assert isinstance(outcome, NotApplicable)
    return str(outcome)


def test_without_gloo_it_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "is_gloo_available", lambda: False)
    assert reason(GOOD["CountsTogether"]) == "torch is built without torch.distributed over gloo"


def test_a_contract_that_no_other_process_can_import_is_left_out() -> None:
    assert reason(stated(WithLinear)).startswith("another process cannot import it: ")


def test_a_module_without_parameters_and_buffers_is_left_out() -> None:
    assert reason(stated(nn.ReLU)) == "nothing in it learns or counts"


@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, True])
def test_no_process_outlives_the_one_that_started_it(killed: bool, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(SUITE_FOLDER)])},
    ) as run:
        assert run.stdout is not None
        outcome, *pids = run.stdout.readline().split()
        assert outcome == "None"
        assert len(pids) == 2
        assert all(is_running(int(pid)) for pid in pids)
        if killed:
            run.send_signal(signal.SIGKILL)
    assert run.returncode == (-signal.SIGKILL if killed else 0)
    until = time.monotonic() + 60
    while any(is_running(int(pid)) for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
    return "State:\tZ" not in status
