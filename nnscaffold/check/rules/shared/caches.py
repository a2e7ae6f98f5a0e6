"""Questions about what a call leaves on the module for the next one."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.syntax import mentions, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Assign
    from nnscaffold.check.model import ClassModel


def asks_for(test: ast.expr, attribute: str) -> bool:
    """Whether a condition asks for an attribute: `self.x is None`, `hasattr(self, "x")`."""
    return any(
        (isinstance(part, ast.Constant) and part.value == attribute)
        or (isinstance(part, ast.Attribute) and part.attr == attribute)
        for part in walk(test)
    )


def keys_of(model: ClassModel, one: Assign) -> set[str]:
    """The attributes that say for what a cache was filled: they change where it does."""
    return {
        other.attribute
        for other in model.forward_assigns()
        if other.how == "assign"
        and other.where.guards == one.where.guards
        and not any(value.is_tensor for value in other.values)
    }


def caches_by_key(model: ClassModel, one: Assign) -> bool:
    """Whether an item is set only where its key is missing."""
    found = {name for name, value in locals_of(model, one) if _gets(value, one.attribute)}
    return one.how == "item" and any(
        isinstance(part, ast.Compare)
        and isinstance(part.ops[0], ast.NotIn | ast.In | ast.Is | ast.IsNot)
        and mentions(part, one.attribute, *found)
        for guard in one.where.guards
        for part in walk(guard.test)
    )


def _gets(value: ast.expr, attribute: str) -> bool:
    """Whether it is `self.attribute.get(key)`."""
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr == "get"
        and mentions(value.func.value, attribute)
    )


def locals_of(model: ClassModel, one: Assign) -> Iterator[tuple[str, ast.expr]]:
    """The names that the method of an assignment gives to something."""
    function = model.methods.get(one.where.function)
    for node in walk(function) if function is not None else ():
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value


def only_grows(model: ClassModel, name: str) -> bool:
    """Whether a list of `self` is never read but to put something into it."""
    grown = sum(one.attribute == name and one.how == "grow" for one in model.assigns)
    return sum(read.attribute == name for read in model.reads) <= grown
