"""Inputs and outputs that an exporter may drop, join or rename on the way into a file."""

import torch
from stated import WithLinear
from torch import Tensor

from .entry import keeps


@keeps(shape=lambda batch: ((batch, 4), (batch, 4), (batch, 4)))
class GivesOneThingTwice(WithLinear):
    """A file has one name for a value; the outputs are three all the same."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y = self.linear(x)
        return y, y, x


@keeps(
    inputs=lambda batch: (torch.randn(batch, 4), torch.randint(0, 9, (batch,))),
)
class IgnoresAnInput(WithLinear):
    """The second input is there for the sake of a common signature."""

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.linear(x)


@keeps(shape=lambda batch: {"positive": (batch, 4), "rank": (batch, 4), "count": ()})
class TellsTruthsAndNumbers(WithLinear):
    """Outputs of three types, one of them of no dimension."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = self.linear(x)
        return {"positive": y > 0, "rank": y.argsort(dim=-1), "count": (y > 0).sum()}


@keeps(
    inputs=lambda batch: ((torch.randn(batch, 4), [torch.randn(batch, 4), torch.randn(4)]),),
)
class TakesATree(WithLinear):
    """Tensors in a list in a tuple; the last one has no batch."""

    def forward(self, tree: tuple[Tensor, list[Tensor]]) -> Tensor:
        x, (y, shift) = tree
        return self.linear(x) * y + shift


@keeps(
    shape=lambda batch: ((batch, 4), None),
    opt_out={"vmap": "vmap returns tensors alone"},
)
class GivesNothingBesides(WithLinear):
    """A part that this configuration does not compute is None."""

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.linear(x), None
