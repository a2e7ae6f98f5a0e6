"""How a module is entered as one that breaks a rule."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from module_contract.case import Contract
from stated import Inputs, Shape, rows, same_rows, stated
from torch import nn

Kind = TypeVar("Kind", bound=type[nn.Module])


@dataclass(frozen=True)
class Breach:
    """A module, the rule that it breaks and where the suite must say so."""

    kind: type[nn.Module]
    code: str
    path: str
    contract: Contract

    @property
    def name(self) -> str:
        return f"{self.code}-{self.kind.__name__}"


BREACHES: list[Breach] = []


def breaks(
    code: str,
    at: str = "",
    inputs: Inputs = rows,
    shape: Shape = same_rows,
) -> Callable[[Kind], Kind]:
    """Enter a class as one that breaks this rule, at a path that contains `at`."""

    def enter(kind: Kind) -> Kind:
        BREACHES.append(Breach(kind, code, at, stated(kind, inputs, shape)))
        return kind

    return enter
