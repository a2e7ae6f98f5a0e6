"""Torch's own layers keep the contract, but for the checks that they are known not to."""

import pytest
from module_contract import run_checks
from torch_layers import LAYERS


def test_there_are_enough_of_them() -> None:
    assert len(LAYERS) > 41


@pytest.mark.parametrize("name", LAYERS)
def test_layer_keeps_the_contract(name: str) -> None:
    assert [str(finding) for finding in run_checks(LAYERS[name])] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_layer_is_taken_by_the_compilers(name: str) -> None:
    assert [str(finding) for finding in run_checks(LAYERS[name], slow=True)] == []
