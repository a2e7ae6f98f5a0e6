"""What bug reports describe is found, by its rule or its check, and corrected twins pass."""

import pytest
from module_contract import run_checks
from reports import CORRECTED, REPORTS, Report


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.name)
def test_the_fault_is_found(report: Report) -> None:
    found = run_checks(report.contract)
    text = "\n".join(map(str, found)) or "nothing found"
    named = [one for one in found if report.found_by in (one.code, one.check)]
    assert named, text
    assert any(report.says in str(one) for one in named), text


@pytest.mark.parametrize("name", CORRECTED)
def test_the_twin_passes(name: str) -> None:
    assert [str(one) for one in run_checks(CORRECTED[name])] == []


def test_there_are_enough_of_them() -> None:
    assert len(REPORTS) >= 26
    assert len(CORRECTED) >= 20
