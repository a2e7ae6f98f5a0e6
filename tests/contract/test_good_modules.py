"""Modules that keep the contract pass every check, the compilers' too."""

import os
import subprocess
import sys

import pytest
from good import GOOD
from module_contract import run_checks


@pytest.mark.parametrize("name", GOOD)
def test_nothing_is_found(name: str) -> None:
    assert [str(finding) for finding in run_checks(GOOD[name])] == []


def test_what_a_plain_processor_lacks_is_no_fault_of_a_module() -> None:
    """AVX2 alone, to which oneDNN is held here, computes no LSTM in bfloat16."""
    code = """
from good import GOOD
from module_contract import run_checks
print(*run_checks(GOOD["LongShortTermMemory"]), sep="\\n")
"""
    path = os.pathsep.join(sys.path)
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout.strip(), result.returncode) == ("", 0), result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", GOOD)
def test_the_compilers_find_nothing(name: str) -> None:
    assert [str(finding) for finding in run_checks(GOOD[name], slow=True)] == []
