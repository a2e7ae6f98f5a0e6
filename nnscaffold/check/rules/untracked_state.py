"""NN207: numbers, flags and lists that `forward` changes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.asking import flat
from nnscaffold.check.rules.shared.caches import keys_of, only_grows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Assign, Read
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel


def find(model: ClassModel) -> Iterator[Finding]:
    """NN207: `forward` changes a number, flag or list of `self` that it also reads."""
    reported: set[str] = set()
    # What says for what a cache was filled is a part of the cache.
    for one in model.forward_assigns():
        if one.how == "assign" and any(value.is_tensor for value in one.values):
            reported |= keys_of(model, one) if one.where.guards else set()
    for one in model.forward_assigns():
        name = one.attribute
        if name in reported or not _is_number(model, one) or model.is_buffer(name):
            continue
        if one.how == "grow" and (model.inherited(name) or not _is_looked_at(model, one)):
            continue  # an ancestor may empty it
        if "warn" in name:  # says something once, which is nobody's result
            continue
        if (
            one.how == "assign"
            and not _read_before(model, one)
            and not (one.where.guards and _is_read(model, name))
        ):
            continue
        reported.add(name)
        message = (
            f"`{one.where.function}` changes `self.{name}`, which is not saved with the module"
        )
        yield model.file.finding("NN207", one.node, message, f"{model.name}.{name}")


def _is_number(model: ClassModel, one: Assign) -> bool:
    """Whether the constructor makes it a number, a flag or a list, and `forward` another one."""
    before = [
        value
        for other in model.assigns
        if other.attribute == one.attribute
        and other.how == "assign"
        and other.where.function not in model.in_forward
        for value in other.values
    ]
    if one.how == "grow":
        lists = (
            bool(before)
            and not only_grows(model, one.attribute)
            and all(value.kind == "list" for value in before)
        )
        return lists and not any(v.is_tensor or v.kind == "module" for v in flat(one.values))
    if one.how not in ("assign", "in-place"):
        return False
    if any(value.is_tensor or value.kind in ("none", "text", "module") for value in one.values):
        return False
    if isinstance(one.node, ast.Call):  # a list is put in another order
        return bool(before) and all(value.kind == "list" for value in before)
    if isinstance(one.node, ast.AugAssign) and isinstance(one.node.target, ast.Subscript):
        items = list(flat(before))
        return bool(items) and all(value.kind == "number" for value in items)
    if one.how == "assign" and any(value.kind == "argument" for value in before):
        # A setting of the constructor, which becomes another one.
        return all(value.kind == "number" for value in one.values)
    return bool(before) and all(value.kind == "number" for value in before)


def _is_read(model: ClassModel, name: str) -> bool:
    """Whether a call may read what it has not assigned itself just before."""
    return any(
        read.attribute == name
        and read.where.function in model.in_forward
        and not _is_of_this_call(model, read)
        for read in model.reads
    )


def _is_looked_at(model: ClassModel, one: Assign) -> bool:
    """Whether `forward` reads a list otherwise than to add to it."""
    function = one.node.func if isinstance(one.node, ast.Call) else None
    grown = function.value if isinstance(function, ast.Attribute) else None
    return any(
        read.attribute == one.attribute
        and read.where.function in model.in_forward
        and read.node is not grown
        for read in model.reads
    )


def _is_of_this_call(model: ClassModel, read: Read) -> bool:
    """Whether the same method has assigned what is read, on every way to it."""
    return any(
        one.attribute == read.attribute
        and one.how == "assign"
        and one.where.function == read.where.function
        and one.order < read.order
        and {*one.where.guards} <= {*read.where.guards}
        for one in model.assigns
    )


def _read_before(model: ClassModel, one: Assign) -> bool:
    """Whether a call reads what an earlier call left."""
    return any(
        read.attribute == one.attribute
        and read.order < one.order
        and read.where.function in model.in_forward
        and not _is_of_this_call(model, read)
        for read in model.reads
    )
