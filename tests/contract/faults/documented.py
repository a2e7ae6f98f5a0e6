"""Faults of a docstring's example."""

from stated import WithLinear
from torch import Tensor

from .entry import fails


@fails("examples", says="documented.py:14: `Documented().linear.in_features` gives 4, not 5")
class Documented(WithLinear):
    """Rows of four values.

    Example:
        >>> Documented().linear.in_features
        5
    """

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)
