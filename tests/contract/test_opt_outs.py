"""The opt-outs stated here are needed: without one, its check fails."""

import pytest
from good import GOOD
from module_contract import ContractViolation
from module_contract.case import Case
from module_contract.core import CHECKS, outcome_of
from stated import without
from torch_layers import LAYERS

CONTRACTS = GOOD | LAYERS
OPT_OUTS = [
    pytest.param(name, check, marks=[pytest.mark.slow] if CHECKS[check].slow else [])
    for name, contract in CONTRACTS.items()
    for check in contract.opt_out
]


@pytest.mark.parametrize(("name", "check"), OPT_OUTS)
def test_no_opt_out_is_idle(name: str, check: str) -> None:
    outcome = outcome_of(Case(without(CONTRACTS[name], check)), check)
    assert isinstance(outcome, ContractViolation)


def test_few_layers_of_torch_need_one() -> None:
    free = [name for name, contract in LAYERS.items() if not contract.opt_out]
    assert len(free) > 30
