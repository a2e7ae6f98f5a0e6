"""NN202: graphs and growing collections that `forward` leaves on the module."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.asking import flat, holds_graph
from nnscaffold.check.rules.shared.caches import asks_for, caches_by_key, only_grows
from nnscaffold.check.values import CONTAINERS, origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Assign
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel


def find(model: ClassModel) -> Iterator[Finding]:
    """NN202: `forward` keeps a tensor with its graph, or a collection that grows."""
    yield from _find_written_graphs(model)
    cleared = _cleared(model)
    reported: set[str] = set()
    for one in model.forward_assigns():
        name = one.attribute
        if name in cleared or name in reported or model.is_buffer(name) or name.startswith("__"):
            continue
        values = list(flat(one.values))
        if one.how in ("grow", "item") and not caches_by_key(model, one):
            kept = [value for value in values if value.is_tensor or value.from_input]
            if _is_fresh(model, one) or model.inherited(name) == "list":
                continue  # an ancestor may empty it
            grows = one.how == "grow" and (
                any(value.is_tensor for value in kept) or only_grows(model, name)
            )
            if not grows and not any(holds_graph(value) for value in kept):
                continue
            if not any(value.kind in CONTAINERS for value in model.attributes.get(name, ())):
                continue
            message = f"`{one.where.function}` adds to `self.{name}` at each call, so memory grows"
            if one.how == "item" and _has_constant_key(one):
                message = f"`{one.where.function}` keeps a tensor with its graph in `self.{name}`"
        elif one.how in ("assign", "setattr", "in-place"):
            if one.where.no_grad or not any(holds_graph(value) for value in values):
                continue
            if _is_moved(one.value, name):
                continue
            held = model.attributes.get(name, ())
            if one.how == "in-place" and any(value.is_tensor for value in held):
                continue
            message = f"`{one.where.function}` keeps `self.{name}` with its graph"
        else:
            continue
        reported.add(name)
        yield model.file.finding("NN202", one.node, message, f"{model.name}.{name}")


def _has_constant_key(one: Assign) -> bool:
    """Whether each call replaces what the one before has left."""
    targets = one.node.targets if isinstance(one.node, ast.Assign) else []
    keys = [target.slice for target in targets if isinstance(target, ast.Subscript)]
    return bool(keys) and all(isinstance(key, ast.Constant) for key in keys)


def _find_written_graphs(model: ClassModel) -> Iterator[Finding]:
    """A buffer that is updated in place with what has a graph has one from then on."""
    for write in model.writes:
        if write.where.function not in model.in_forward or write.where.no_grad:
            continue
        name = next((v.attribute for v in map(origin, write.values) if v.kind == "buffer"), "")
        if name and any(holds_graph(value) for value in write.given):
            message = f"`{write.where.function}` writes a tensor with its graph into `self.{name}`"
            yield model.file.finding("NN202", write.node, message, f"{model.name}.{name}")


def _is_moved(node: ast.expr | None, attribute: str) -> bool:
    """Whether what an attribute holds is only brought to a device or dtype."""
    if isinstance(node, ast.ListComp) and len(node.generators) == 1:
        each = node.generators[0]
        same = isinstance(each.iter, ast.Attribute) and each.iter.attr == attribute
        return same and _moves(node.elt) is not None
    moved = _moves(node)
    return isinstance(moved, ast.Attribute) and moved.attr == attribute


def _moves(node: ast.expr | None) -> ast.expr | None:
    """What a conversion converts; None where it is none."""
    called = node.func if isinstance(node, ast.Call) else None
    moves = isinstance(called, ast.Attribute) and called.attr in ("to", "cuda", "cpu", "type_as")
    return called.value if moves and isinstance(called, ast.Attribute) else None


def _is_fresh(model: ClassModel, one: Assign) -> bool:
    """Whether the same call has put another collection in its place before, on every way to it."""
    earlier = [
        other
        for other in model.assigns
        if other.attribute == one.attribute
        and other.how == "assign"
        and other.where.function == one.where.function
        and other.order < one.order
        and not any(asks_for(guard.test, one.attribute) for guard in other.where.guards)
    ]
    ways = {
        frozenset(guard for guard in other.where.guards if guard not in one.where.guards)
        for other in earlier
    }
    tests = {(guard.test, guard.holds) for way in ways if len(way) == 1 for guard in way}
    return frozenset() in ways or any((test, not holds) in tests for test, holds in tests)


def _cleared(model: ClassModel) -> set[str]:
    """The attributes that the same call empties again, or begins with."""
    found = set(model.deleted)
    assigned = [one for one in model.forward_assigns() if one.how == "assign"]
    for one in assigned:
        if one.where.guards or not one.values:
            continue
        last = not any(
            other.attribute == one.attribute
            and other.order > one.order
            # What `forward` reaches through its ancestors has run when it ends.
            and (one.where.function != "forward" or other.where.function == "forward")
            for other in assigned
        )
        is_none = all(value.kind == "none" for value in one.values)
        is_fresh = all(value.kind in ("list", "dict") for value in one.values)
        if (is_none and last) or (is_fresh and isinstance(one.value, ast.List | ast.Dict)):
            found.add(one.attribute)
    for call in model.forward_calls():
        target = call.node.func.value if isinstance(call.node.func, ast.Attribute) else None
        if call.method in ("clear", "pop", "popleft") and isinstance(target, ast.Attribute):
            found.add(target.attr)
    return found
