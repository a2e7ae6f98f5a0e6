"""How a module is entered as a good one."""

from collections.abc import Callable
from typing import Any

from module_contract.case import Contract
from stated import Inputs, Shape, rows, same_rows, stated
from torch import nn

GOOD: dict[str, Contract] = {}


def keeps(
    inputs: Inputs = rows,
    shape: Shape = same_rows,
    **options: Any,
) -> Callable[[type[nn.Module]], type[nn.Module]]:
    """Enter a class as one that keeps the contract."""

    def enter(kind: type[nn.Module]) -> type[nn.Module]:
        contract = stated(kind, inputs, shape, **options)
        contract.found_again = (good, (kind.__name__,))
        GOOD[kind.__name__] = contract
        return kind

    return enter


def good(name: str) -> Contract:
    """The contract of that name."""
    return GOOD[name]
