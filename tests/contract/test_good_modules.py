"""Modules that keep the contract pass every check, the compilers' too."""

import pytest
from good import GOOD
from module_contract import run_checks


@pytest.mark.parametrize("name", GOOD)
def test_nothing_is_found(name: str) -> None:
    assert [str(finding) for finding in run_checks(GOOD[name])] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", GOOD)
def test_the_compilers_find_nothing(name: str) -> None:
    assert [str(finding) for finding in run_checks(GOOD[name], slow=True)] == []
