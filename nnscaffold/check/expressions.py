"""What expressions may hold: a function for each kind of expression, found by `EVALUATIONS`."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from nnscaffold.check import own_attributes, tensors
from nnscaffold.check.calls import call
from nnscaffold.check.events import Guard
from nnscaffold.check.syntax import every_parameter, root_name
from nnscaffold.check.torch_names import COMMON_PROPERTIES, DETACHED, NOT_TENSORS, TENSOR_PROPERTIES
from nnscaffold.check.values import CONTAINERS, OWN, Value, contained, few, holding

if TYPE_CHECKING:
    from collections.abc import Callable

    from nnscaffold.check.frame import Frame
    from nnscaffold.check.values import Kind


def parts(frame: Frame, node: ast.AST) -> list[Value]:
    """Evaluate what is inside an expression of no interest of its own."""
    found = [
        value
        for child in ast.iter_child_nodes(node)
        if isinstance(child, ast.expr)
        for value in frame.values_of(child)
    ]
    return [frame.derived("other", node, found)]


# Names and constants.


def _name(frame: Frame, node: ast.Name) -> list[Value]:
    if node.id in frame.scope:
        return frame.scope[node.id]
    names = frame.model.file.names
    if node.id in names.constants and node.id not in names.imported:
        return frame.model.constant(node.id)
    if frame.is_self(node):
        return [Value("other", node, name=OWN)]
    name = names.qualified(node)
    is_function = node.id in names.functions
    return [Value("function" if is_function else "class", node, name=name)]


def _constant(frame: Frame, node: ast.Constant) -> list[Value]:
    if node.value is None:
        return [Value("none", node)]
    return [Value("text" if isinstance(node.value, str | bytes) else "number", node)]


def _lambda(frame: Frame, node: ast.Lambda) -> list[Value]:
    frame.read_defaults(node.args)
    saved = {one.arg: frame.scope.get(one.arg) for one in every_parameter(node.args)}
    for name in saved:
        frame.scope[name] = [Value("other", node)]
    # A text that is made late is that of an error, or of a log.
    fails = frame.where.fails or isinstance(node.body, ast.JoinedStr)
    before, frame.where = frame.where, replace(frame.where, nested=True, fails=fails)
    given = frame.values_of(node.body)
    frame.where = before
    for name, values in saved.items():
        if values is None:
            frame.scope.pop(name, None)
        else:
            frame.scope[name] = values
    return [Value("lambda", node, items=given)]


# Containers.


_DISPLAYS: dict[type[ast.expr], Kind] = {
    ast.List: "list",
    ast.Tuple: "tuple",
    ast.Set: "set",
    ast.ListComp: "list",
    ast.GeneratorExp: "list",
    ast.SetComp: "set",
    ast.DictComp: "dict",
}


def _display(frame: Frame, node: ast.List | ast.Tuple | ast.Set) -> list[Value]:
    kind = _DISPLAYS[type(node)]
    places = [frame.elements_of(element) for element in node.elts]
    items = [item for place in places for item in place]
    frame.note_twice(node.elts, node)
    made = holding(kind, node, items)
    if kind != "set" and not any(isinstance(one, ast.Starred) for one in node.elts):
        made.parts = places
    return [made]


def _dict(frame: Frame, node: ast.Dict) -> list[Value]:
    items: list[Value] = []
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            items += frame.items_of(frame.values_of(value), value)
        else:
            frame.values_of(key)
            items += frame.values_of(value)
    frame.note_twice(node.values, node)
    return [holding("dict", node, items)]


def _comprehension(
    frame: Frame, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
) -> list[Value]:
    outer, frame.scope = frame.scope, dict(frame.scope)
    before, frame.where = frame.where, replace(frame.where, loop=node)
    visited: list[Value] = []
    for part in node.generators:
        each = frame.items_of(frame.values_of(part.iter), part.iter)
        visited = [*each, *contained(each)]
        frame.bind(part.target, each, part.target)
        for test in part.ifs:
            frame.values_of(test)
    if isinstance(node, ast.DictComp):
        frame.values_of(node.key)
        items = frame.values_of(node.value)
    else:
        items = frame.values_of(node.elt)
    # What the innermost loop goes through comes once.
    frame.note_repeats([one for one in items if one not in visited], node)
    frame.scope, frame.where = outer, before
    return [holding(_DISPLAYS[type(node)], node, list(items))]


# Choices, and names that an expression binds.


def _choice(frame: Frame, node: ast.IfExp) -> list[Value]:
    frame.decide(node.test, node)
    before = frame.where
    frame.where = replace(before, guards=(*before.guards, Guard(node.test, holds=True)))
    values = list(frame.values_of(node.body))
    frame.where = replace(before, guards=(*before.guards, Guard(node.test, holds=False)))
    values += frame.values_of(node.orelse)
    frame.where = before
    return few(values)


def _either(frame: Frame, node: ast.BoolOp) -> list[Value]:
    return [value for part in node.values for value in frame.values_of(part)]


def _assigned(frame: Frame, node: ast.NamedExpr) -> list[Value]:
    values = frame.values_of(node.value)
    frame.bind(node.target, values, node)
    return values


# Operators.


def _binary(frame: Frame, node: ast.BinOp) -> list[Value]:
    left, right = frame.values_of(node.left), frame.values_of(node.right)
    return operation(frame, node, left, right)


def operation(
    frame: Frame, node: ast.BinOp | ast.AugAssign, left: list[Value], right: list[Value]
) -> list[Value]:
    """What an operator makes of two operands."""
    found = [*left, *right]
    held = [value for value in found if value.kind in CONTAINERS]
    if isinstance(node.op, ast.Mult) and held:
        items = list(contained(held, depth=1))
        for item in items:
            item.repeated = node
        return [Value("list", node, items=items)]
    if isinstance(node.op, ast.Add | ast.BitOr) and held:
        kind = held[0].kind
        return [Value(kind, node, items=[item for one in held for item in one.items])]
    if found and all(value.kind == "number" for value in found):
        return [Value("number", node)]
    tensor = any(value.is_tensor for value in found)
    return [frame.derived("tensor" if tensor else "other", node, found)]


def _unary(frame: Frame, node: ast.UnaryOp) -> list[Value]:
    found = frame.values_of(node.operand)
    tensor = any(value.is_tensor for value in found) and not isinstance(node.op, ast.Not)
    return [frame.derived("tensor" if tensor else "other", node, found)]


def _comparison(frame: Frame, node: ast.Compare) -> list[Value]:
    found = [value for part in (node.left, *node.comparators) for value in frame.values_of(part)]
    plain = all(isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn) for op in node.ops)
    tensor = any(value.is_tensor for value in found) and not plain
    made = frame.derived("tensor" if tensor else "other", node, found)
    made.detached = True
    return [made]


# Parts of something.


def _attribute(frame: Frame, node: ast.Attribute) -> list[Value]:
    if frame.is_self(node.value):
        return own_attributes.read(frame, node)
    if frame.is_outside(root_name(node)):
        return [Value("class", node, name=frame.model.file.names.qualified(node))]
    found = frame.values_of(node.value)
    for value in found:
        if value.kind == "argument":
            _judge(frame, value, node.attr)
    if node.attr in DETACHED:
        made = frame.derived("tensor", node, found)
        made.detached = True
        made.through_data = node.attr == "data"
        if found:
            made.source = found[0]
            made.argument = found[0].argument
        return [made]
    if any(value.is_tensor for value in found) and node.attr not in NOT_TENSORS:
        return [tensors.of_attribute(frame, node, node.attr, found)]
    if node.attr in NOT_TENSORS:
        return [Value("other", node)]
    made = frame.derived("other", node, found)
    owner = next((value for value in found if value.kind == "module" and value.attribute), None)
    if owner is not None:
        made.attribute = f"{owner.attribute}.{node.attr}"
        if node.attr in ("weight", "bias"):
            made.kind, made.from_state, made.registered = "parameter", True, True
    return [made]


def _judge(frame: Frame, argument: Value, attribute: str) -> None:
    """What reading an attribute says of an argument: `.shape` of an input is that of a tensor.

    A constructor is given configurations, whose `.size` and `.device` say nothing.
    """
    if attribute in TENSOR_PROPERTIES:
        in_forward = frame.where.function in frame.model.in_forward
        argument.tensor_like = argument.tensor_like or in_forward
    elif attribute not in COMMON_PROPERTIES:
        argument.tensor_like = False  # no tensor has it


def _item(frame: Frame, node: ast.Subscript) -> list[Value]:
    held = frame.values_of(node.value)
    frame.values_of(node.slice)
    return [one for value in held for one in _item_of(frame, node, value)] or [Value("other", node)]


def _item_of(frame: Frame, node: ast.Subscript, value: Value) -> list[Value]:
    """What an index or a slice takes from one of the values that it may be taken from."""
    is_slice = isinstance(node.slice, ast.Slice)
    if value.kind in CONTAINERS:
        return [holding(value.kind, node, value.held)] if is_slice else value.held
    if value.kind == "module" and value.items:
        return [value] if is_slice else value.items  # a ModuleList of the same modules
    if value.kind == "class":
        return [value]
    if not (value.is_tensor or value.kind == "argument"):
        return [frame.derived("other", node, [value])]
    if isinstance(node.slice, ast.Tuple):
        value.tensor_like = True
    made = frame.derived("tensor" if value.is_tensor else "other", node, [value])
    made.argument = value.argument if value.is_tensor else ""
    made.source = value
    made.through_data = value.through_data
    if isinstance(node.slice, ast.Constant) and all(map(_is_row, value.makers)):
        made.makers, made.scalar = value.makers, bool(value.makers)
    return [made]


def _is_row(maker: Value) -> bool:
    """Whether a factory is called with one number, so that its tensor has one dimension."""
    call = maker.node
    return (
        isinstance(call, ast.Call)
        and len(call.args) == 1
        and isinstance(call.args[0], ast.Constant)
    )


def _slice(frame: Frame, node: ast.Slice) -> list[Value]:
    return [
        value for part in (node.lower, node.upper, node.step) for value in frame.values_of(part)
    ]


EVALUATIONS: dict[type[ast.AST], Callable[..., list[Value]]] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.Lambda: _lambda,
    ast.List: _display,
    ast.Tuple: _display,
    ast.Set: _display,
    ast.Dict: _dict,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.DictComp: _comprehension,
    ast.IfExp: _choice,
    ast.BoolOp: _either,
    ast.NamedExpr: _assigned,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Compare: _comparison,
    ast.Attribute: _attribute,
    ast.Subscript: _item,
    ast.Slice: _slice,
    ast.Call: call,
}
