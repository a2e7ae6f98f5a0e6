"""How a module is entered as one with a fault."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from module_contract.case import Contract
from stated import Inputs, Shape, rows, same_rows, stated


@dataclass(frozen=True)
class Fault:
    """A module, the only checks that may fail on it, and a part of what they say."""

    name: str
    checks: frozenset[str]
    says: str
    contract: Contract


FAULTS: list[Fault] = []


def fails(
    *checks: str,
    says: str,
    inputs: Inputs = rows,
    shape: Shape = same_rows,
    **options: Any,
) -> Callable[[Any], Any]:
    """Enter a class, or a function that builds a module, on which these checks fail."""

    def enter(make: Any) -> Any:
        contract = stated(make, inputs, shape, **options)
        contract.found_again = (fault, (make.__name__,))
        FAULTS.append(Fault(make.__name__, frozenset(checks), says, contract))
        return make

    return enter


def fault(name: str) -> Contract:
    """The contract of the fault of that name."""
    return next(entry.contract for entry in FAULTS if entry.name == name)
