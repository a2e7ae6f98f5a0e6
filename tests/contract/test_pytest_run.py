"""What an author sees when pytest runs the contract of modules in a repository."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from module_contract.core import CHECKS

SUITE_FOLDER = Path(__file__).parents[2] / "template" / "project" / "tests"

TESTS = """
import pytest
import torch
from torch import nn

from tests.module_contract import ModuleContract


class Rows(ModuleContract):
    kind = nn.Identity

    def build(self):
        return self.kind()

    def inputs(self, batch):
        return (torch.randn(batch, 4),)

    def output_shape(self, batch):
        return (batch, 4)


class Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = [nn.Linear(4, 4)]

    def forward(self, x):
        return self.blocks[0](x)


class TestBreach(Rows):
    kind = Blocks


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return self.linear(x)


class TestGood(Rows):
    kind = Linear
    parameter_count = 20
    opt_out = {"vmap": "rows are never batched twice"}


class TestWrongOptOut(Rows):
    kind = Linear
    opt_out = {"speed": "no such check", "vmap": ""}


class Open(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, x):
        raise NotImplementedError("write forward")


OPEN = pytest.mark.xfail(strict=True, raises=NotImplementedError, reason="forward is open")


class TestOpen(Rows):
    kind = Open
    forward_marks = (OPEN,)

    def test_of_its_own(self):
        assert self.build().weight.shape == (4,)


class TestUnmarked(Rows):
    kind = Open


class TestWritten(Rows):
    kind = Linear
    forward_marks = (OPEN,)
"""


@dataclass(frozen=True)
class Run:
    text: str
    outcomes: dict[tuple[str, str], str]

    def of(self, name: str, outcome: str) -> set[str]:
        """The tests of a class with that outcome."""
        return {
            test for (kind, test), got in self.outcomes.items() if (kind, got) == (name, outcome)
        }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of pytest, warnings being errors, over a folder like a generated repository."""
    folder = tmp_path_factory.mktemp("repository")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(
        SUITE_FOLDER / "module_contract",
        folder / "tests" / "module_contract",
        ignore=ignored,
    )
    for name in ("__init__.py", "conftest.py"):
        shutil.copy(SUITE_FOLDER / name, folder / "tests")
    (folder / "tests" / "test_modules.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = slow: takes seconds\n")
    command = [
        *(sys.executable, "-m", "pytest", "-v", "-ra", "-W", "error", "--strict-markers"),
        *("-m", "not slow", "-p", "no:cacheprovider", "--color=no", "tests"),
    ]
    result = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "400"},
        check=False,
    )
    lines = re.findall(r"::(\w+)::test_(\w+) (PASSED|FAILED|SKIPPED|XFAIL)", result.stdout)
    return Run(result.stdout, {(kind, test): outcome for kind, test, outcome in lines})


def test_a_failure_names_rule_place_and_fix(run: Run) -> None:
    assert run.of("TestBreach", "FAILED") == {"registry"}
    number = TESTS.splitlines().index("        self.blocks = [nn.Linear(4, 4)]") + 1
    line = (
        f"NN103 module-in-container: tests/test_modules.py:{number}: "
        "blocks[0]: Linear outside the registry: "
        "it is not moved, trained or saved. Keep modules in `nn.ModuleList` or `nn.ModuleDict`."
    )
    assert re.search(rf"(?m)^E +\S*ContractViolation: {re.escape(line)}$", run.text)
    assert re.search(rf"FAILED .*TestBreach::test_registry - .*{re.escape(line)}", run.text)


def test_what_waits_for_a_failure_says_so(run: Run) -> None:
    assert re.search(r"SKIPPED \[\d\d\] .*: TestBreach waits for test_registry \(NN103\)", run.text)
    assert run.of("TestBreach", "PASSED") >= {"construction", "opt_outs"}


def test_a_good_module_passes_with_its_opt_out_shown(run: Run) -> None:
    fast = {name for name, check in CHECKS.items() if not check.slow}
    skipped = {"vmap", "device_argument", "dtype_argument", "examples"}
    assert run.of("TestGood", "SKIPPED") - {"cuda"} == skipped
    assert run.of("TestGood", "PASSED") >= fast - run.of("TestGood", "SKIPPED")
    assert "TestGood opts out of vmap: rows are never batched twice" in run.text
    assert "build() takes no `device`" in run.text


def test_a_wrong_opt_out_fails(run: Run) -> None:
    assert run.of("TestWrongOptOut", "FAILED") == {"opt_outs"}
    assert "speed: there is no check of that name" in run.text
    assert "vmap: has no reason" in run.text


def test_an_open_forward_is_expected_to_fail_where_it_is_called(run: Run) -> None:
    fast = {name for name, check in CHECKS.items() if not check.slow}
    calling = {name for name in fast if CHECKS[name].calls_forward}
    assert run.of("TestOpen", "XFAIL") == calling
    assert run.of("TestOpen", "FAILED") == set()
    assert run.of("TestOpen", "PASSED") >= {"registry", "initialisation", "pickling", "of_its_own"}


def test_an_open_forward_without_the_mark_fails(run: Run) -> None:
    assert run.of("TestUnmarked", "FAILED") == {"forward"}
    assert "TestUnmarked waits for test_forward (not written yet)" in run.text
    assert "NotImplementedError: write forward" in run.text


def test_the_mark_has_to_go_when_forward_is_written(run: Run) -> None:
    assert "forward" in run.of("TestWritten", "FAILED")
    assert "[XPASS(strict)] forward is open" in run.text


def test_slow_checks_can_be_left_out(run: Run) -> None:
    slow = {name for name, check in CHECKS.items() if check.slow}
    assert slow == {"compilation", "export", "onnx", "torchscript", "two_processes"}
    assert not slow & {test for _, test in run.outcomes}
