"""Torch's own layers keep the contract, but for the checks that they are known not to."""

import pytest
from module_contract import ContractViolation, run_checks
from module_contract.case import Case
from module_contract.checks import CHECKS, outcome_of
from stated import without
from torch_layers import LAYERS

OPT_OUTS = [(name, check) for name, contract in LAYERS.items() for check in contract.opt_out]


def test_there_are_enough_of_them() -> None:
    assert len(LAYERS) > 41


@pytest.mark.parametrize("name", LAYERS)
def test_layer_keeps_the_contract(name: str) -> None:
    assert [str(finding) for finding in run_checks(LAYERS[name])] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_layer_is_taken_by_the_compilers(name: str) -> None:
    assert [str(finding) for finding in run_checks(LAYERS[name], slow=True)] == []


@pytest.mark.parametrize(
    ("name", "check"),
    [
        pytest.param(name, check, marks=[pytest.mark.slow] if CHECKS[check].slow else [])
        for name, check in OPT_OUTS
    ],
)
def test_no_opt_out_is_idle(name: str, check: str) -> None:
    outcome = outcome_of(Case(without(LAYERS[name], check)), check)
    assert isinstance(outcome, ContractViolation)
