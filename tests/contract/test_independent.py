"""Two faults that have nothing to do with each other show in the same run."""

import pytest
from breaches import BREACHES
from module_contract import run_checks
from stated import stated
from torch import Tensor, nn

KINDS = {breach.kind.__name__: breach for breach in BREACHES}


class Both(nn.Module):
    """One module with a fault after another one."""

    def __init__(self, first: type[nn.Module], second: type[nn.Module]) -> None:
        super().__init__()
        self.first, self.second = first(), second()

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("TensorAttribute", "DropoutAlways"),
        ("InList", "Item"),
        ("Lambda", "KeepsActivation"),
        ("UnusedLinear", "Zeros"),
        ("RepeatedInList", "CountsByRebinding"),
        ("ToList", "StartsInFirstBatch"),
        ("NormEachCall", "LosesTieOnMeta"),
        ("DropoutAlways", "KeepsRowsOfFirstBatch"),
        ("Item", "RoundsTable"),
        ("Empty", "ReadsAtTheRoot"),
        ("UnusedLinear", "RenamesAtTheRoot"),
    ],
)
def test_both_are_named_and_nothing_else(first: str, second: str) -> None:
    kinds = KINDS[first], KINDS[second]
    found = run_checks(stated(lambda: Both(*(breach.kind for breach in kinds))))
    text = "\n".join(map(str, found))
    assert {one.code for one in found} == {breach.code for breach in kinds}, text
