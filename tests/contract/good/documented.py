"""A module whose docstring has an example."""

from stated import WithLinear

from .entry import keeps


@keeps()
class Documented(WithLinear):
    """Rows of four values.

    Example:
        >>> Documented().linear.weight.shape
        torch.Size([4, 4])
    """
