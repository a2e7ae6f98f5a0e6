"""Assignments: what a name, an attribute, an item or several of them hold afterwards."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.events import Write
from nnscaffold.check.syntax import attribute_under
from nnscaffold.check.torch_names import REGISTRIES
from nnscaffold.check.values import CONTAINERS, Value, attach, few, register

if TYPE_CHECKING:
    from nnscaffold.check.events import How
    from nnscaffold.check.frame import Frame

Node = ast.stmt | ast.expr


def bind(
    frame: Frame, target: ast.expr, values: list[Value], node: Node, value: ast.expr | None
) -> None:
    """Assign to a target; `Frame.bind` says what the arguments are."""
    if isinstance(target, ast.Name):
        frame.scope[target.id] = few(values)
    elif isinstance(target, ast.Tuple | ast.List):
        for part, held in zip(
            target.elts, spread(frame, values, len(target.elts), node), strict=True
        ):
            frame.bind(part, held, node)
    elif isinstance(target, ast.Starred):
        frame.bind(target.value, [Value("list", node, items=values)], node)
    elif isinstance(target, ast.Attribute):
        if frame.is_self(target.value):
            _bind_own(frame, target, values, node, value)
        else:
            _bind_attribute(frame, target, values, node, value)
    elif isinstance(target, ast.Subscript):
        _bind_item(frame, target, values, node, value)


def spread(frame: Frame, values: list[Value], count: int, node: Node) -> list[list[Value]]:
    """What each of several places gets when what these values hold is assigned to them."""
    if values and all(len(value.parts) == count for value in values):
        return [
            [item for value in values for item in value.parts[position]]
            for position in range(count)
        ]
    if count == 2 and values and all(map(_is_pair, values)):
        # A key, or a position, and what belongs to it.
        rest = [item for value in values for item in value.items[1:]]
        return [[value.items[0] for value in values], rest]
    return [frame.items_of(values, node) for _ in range(count)]


def _is_pair(value: Value) -> bool:
    return value.kind == "tuple" and bool(value.items) and value.items[0].kind in ("text", "number")


def _bind_own(
    frame: Frame, target: ast.Attribute, values: list[Value], node: Node, value: ast.expr | None
) -> None:
    """Assign to an attribute of `self`, which registers modules and parameters."""
    name = target.attr
    known = frame.model.attributes.get(name, [])
    for one in values:
        one.attribute = one.attribute or name
        if one.kind in ("module", "parameter", "buffer"):
            register(one)
    frame.note_assign(name, values, node, value, "assign")
    if any(one.kind == "buffer" for one in known):
        return  # a plain tensor that is assigned to a buffer's name stays a buffer
    kept = known if frame.branch else []
    frame.model.attributes[name] = few([*kept, *values])


def _bind_attribute(
    frame: Frame, target: ast.Attribute, values: list[Value], node: Node, value: ast.expr | None
) -> None:
    """Assign to an attribute of something else: of a child, or the `.data` of a tensor."""
    held = frame.values_of(target.value)
    if target.attr == "data":
        frame.model.data_writes.append(Write(held, node, "index", frame.where, "data"))
        return
    child = attribute_under(target.value, frame.own)
    if child and isinstance(target.value, ast.Attribute):
        frame.note_assign(f"{child}.{target.attr}", values, node, value, "assign")


def _bind_item(
    frame: Frame, target: ast.Subscript, values: list[Value], node: Node, value: ast.expr | None
) -> None:
    """Assign to an item of a container, a module or a tensor."""
    held = frame.values_of(target.value)
    attach(held, values)
    frame.values_of(target.slice)
    for one in held:
        if one.kind in CONTAINERS:
            frame.put(one, values)
        elif one.kind == "module":
            for given in values:
                register(given)
            one.items += values
    attribute = attribute_under(target, frame.own)
    registered = REGISTRIES.get(attribute)
    if registered and isinstance(target.slice, ast.Constant):
        # What `self.name = value` does, done by hand.
        late = frame.where.function in frame.model.after_construction
        how: How = "assign" if late else registered
        frame.note_assign(str(target.slice.value), values, node, value, how)
    elif attribute:
        frame.note_assign(attribute, values, node, value, "item")
    frame.model.writes.append(Write(held, node, "index", frame.where, key=target.slice))
