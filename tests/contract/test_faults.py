"""Faults that no rule names are found too, by the check that is named for what it proves."""

import pytest
from faults import FAULTS, Fault
from module_contract import run_checks
from module_contract.core import CHECKS

# Checks that find rules of the table, which the breaches prove, and the one that needs a device.
ELSEWHERE = {
    *("registry", "repeated_modules", "initialisation", "creation", "unchanged_inputs"),
    *("host_fetches", "devices", "retained_state", "eval_determinism", "bounded_memory"),
    *("optimizer_step", "meta_initialisation", "data_parallel", "cuda", "changed_context"),
    *("untracked_state", "shared_defaults", "ties", "nested_state_dict", "precision"),
}


def needs_slow_checks(fault: Fault) -> bool:
    return any(CHECKS[name].slow for name in fault.checks)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=fault.name, marks=[pytest.mark.slow] * needs_slow_checks(fault))
        for fault in FAULTS
    ],
)
def test_only_these_checks_fail(fault: Fault) -> None:
    slow = needs_slow_checks(fault)
    findings = run_checks(fault.contract, slow=slow)
    text = "\n".join(map(str, findings)) or "nothing found"
    assert {finding.check for finding in findings} == fault.checks, text
    assert any(fault.says in str(finding) for finding in findings), text


def test_every_check_finds_something() -> None:
    found = {name for fault in FAULTS for name in fault.checks}
    assert set(CHECKS) - found <= ELSEWHERE
