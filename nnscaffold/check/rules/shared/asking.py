"""Questions about values, and about what happens under which conditions."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.syntax import mentions
from nnscaffold.check.values import CONTAINERS, contained

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nnscaffold.check.events import Where
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Value


def flat(values: Iterable[Value]) -> Iterator[Value]:
    """The values, and in the place of containers what they hold."""
    for value in values:
        if value.items and value.kind in CONTAINERS:
            yield from contained([value])
        else:
            yield value


def guarded_by(where: Where, *names: str) -> bool:
    """Whether a condition around an event mentions one of these names."""
    return any(mentions(guard.test, *names) for guard in where.guards)


def runs_in_training_only(where: Where) -> bool:
    """Whether the conditions around an event ask for training, as far as they can be read."""
    for guard in where.guards:
        test, holds = guard.test, guard.holds
        while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test, holds = test.operand, not holds
        if isinstance(test, ast.Attribute) and test.attr == "training":
            if holds:
                return True
        elif mentions(test, "training"):
            return True
    return False


def holds_graph(value: Value) -> bool:
    """Whether keeping it keeps a graph; that of a parameter alone is nothing."""
    # A dictionary of inputs holds what the caller keeps anyway.
    return value.has_graph and value.kind != "parameter" and not value.argument.endswith("[]")


def fits_to_input(model: ClassModel) -> bool:
    """Whether `forward` brings its own optimizer: it fits something to each input."""
    return any(call.name.startswith("torch.optim.") for call in model.forward_calls())
