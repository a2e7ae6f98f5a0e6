"""Faults of a docstring's example that raises, or warns, which counts as much."""

import warnings

from stated import WithLinear

from .entry import fails


@fails("examples", says="`Warns().old()` raises DeprecationWarning: call new")
class Warns(WithLinear):
    """Rows of four values.

    Example:
        >>> Warns().old()
        1
    """

    def old(self) -> int:
        warnings.warn("call new", DeprecationWarning, stacklevel=2)
        return 1
