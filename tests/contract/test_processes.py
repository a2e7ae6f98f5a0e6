"""The check on two processes: when it is left out, and what becomes of its processes."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from good import GOOD
from module_contract import processes
from module_contract.case import Case, Contract
from module_contract.core import outcome_of
from module_contract.rules import NotApplicable
from stated import WithLinear, stated
from torch import distributed, nn

HERE = Path(__file__).parent
SUITE_FOLDER = HERE.parents[1] / "template" / "project" / "tests"
PROGRAM = textwrap.dedent("""
    import os
    import time

    import torch
    from module_contract import Contract
    from module_contract.case import Case
    from module_contract.core import outcome_of
    from stated import WithLinear
    from torch import distributed


    class NeverEnds(WithLinear):
        def forward(self, x):
            if distributed.is_initialized() and distributed.get_world_size() > 1:
                print(os.getpid(), flush=True)
                time.sleep(600)
            return super().forward(x)


    class Stated(Contract):
        def build(self):
            return NeverEnds()

        def inputs(self, batch):
            return (torch.randn(batch, 4),)


    if __name__ == "__main__":
        outcome_of(Case(Stated()), "two_processes")
""")

WITHOUT_NUMPY = textwrap.dedent("""
    import torch
    from module_contract import check_module
    from torch import nn


    class Random(nn.Module):
        def forward(self, x):
            return x + torch.rand_like(x)


    if __name__ == "__main__":
        counts = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
        # ONNX needs numpy itself.
        left_out = {"onnx": "there is no numpy"}
        print(*check_module(counts, torch.randn(3, 4), slow=True, opt_out=left_out))
        print(*(found.code for found in check_module(Random, torch.randn(3, 4))))
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
def test_no_process_outlives_the_check() -> None:
    assert outcome_of(Case(GOOD["CountsTogether"]), "two_processes") is None
    assert multiprocessing.active_children() == []


def sleep(_: int) -> None:
    """Sleep until this process is killed."""
    time.sleep(600)


@pytest.mark.slow
def test_a_process_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "TIME_LIMIT", 0.0)
    lost = processes.failure_to_end(sleep)
    assert re.fullmatch("process [01] of 2 does not answer", lost)
    assert multiprocessing.active_children() == []


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_one_that_started_it(how: signal.Signals, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(SUITE_FOLDER)])},
    ) as run:
        assert run.stdout is not None
        pids = [int(run.stdout.readline()) for _ in range(2)]
        assert all(map(is_running, pids))
        run.send_signal(how)
    assert run.returncode == -how
    until = time.monotonic() + 60
    while any(map(is_running, pids)):
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.slow
def test_it_needs_no_numpy(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "numpy.py").write_text("raise ModuleNotFoundError('No module named numpy')\n")
    assert run_script(tmp_path, WITHOUT_NUMPY, hidden) == "\nNN402\n"


UNGUARDED = """
import torch
from module_contract import check_module
from module_contract.case import Case
from module_contract.core import outcome_of
from module_contract.direct import stated
from torch import nn

arguments = nn.Linear(4, 4), torch.ones(3, 4)
print("started")
try:
    check_module(*arguments, slow=True)
except ValueError as error:
    print(error)
print(outcome_of(Case(stated(*arguments)), "two_processes"))
"""


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    says = (
        "other processes import this script, and would run it: put under "
        '`if __name__ == "__main__":` the call in program.py:'
    )
    assert run_script(tmp_path, UNGUARDED).splitlines() == [
        "started",
        f"slow=True: {says}12",
        f"{says}15",
    ]


def run_script(folder: Path, script: str, *paths: Path) -> str:
    """What a script prints that ends well and imports the suite, and from some folders."""
    program = folder / "program.py"
    program.write_text(script)
    path = os.pathsep.join(map(str, (*paths, HERE, SUITE_FOLDER)))
    return subprocess.run(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    ).stdout


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
    return "State:\tZ" not in status
