"""How a module is entered as one after a bug report, and its corrected twin."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from module_contract.case import Contract
from stated import Inputs, Shape, rows, same_rows, stated


@dataclass(frozen=True)
class Report:
    """A faulty module: the rule (or, where no rule has a code for it, the check) that finds it."""

    name: str
    found_by: str
    says: str
    contract: Contract


REPORTS: list[Report] = []
CORRECTED: dict[str, Contract] = {}


def reported(
    found_by: str,
    says: str = "",
    inputs: Inputs = rows,
    shape: Shape = same_rows,
) -> Callable[[Any], Any]:
    """Enter a class as one with the fault of a report."""

    def enter(kind: Any) -> Any:
        REPORTS.append(Report(kind.__name__, found_by, says, stated(kind, inputs, shape)))
        return kind

    return enter


def corrected(
    inputs: Inputs = rows,
    shape: Shape = same_rows,
    **options: Any,
) -> Callable[[Any], Any]:
    """Enter a class as one without that fault, or any."""

    def enter(kind: Any) -> Any:
        contract = stated(kind, inputs, shape, **options)
        contract.found_again = (twin, (kind.__name__,))
        CORRECTED[kind.__name__] = contract
        return kind

    return enter


def twin(name: str) -> Contract:
    """The contract of the twin of that name."""
    return CORRECTED[name]
