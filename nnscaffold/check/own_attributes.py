"""The attributes of `self`: how they are read, registered, called, and set by name."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from nnscaffold.check.events import Read
from nnscaffold.check.methods import of_module_call
from nnscaffold.check.syntax import attribute_under, keyword, text_of
from nnscaffold.check.torch_names import REGISTRATIONS
from nnscaffold.check.values import Value, register

if TYPE_CHECKING:
    from nnscaffold.check.frame import Frame
    from nnscaffold.check.invocation import Invocation
    from nnscaffold.check.torch_names import Registered


def read(frame: Frame, node: ast.Attribute) -> list[Value]:
    """What an attribute of `self` may hold."""
    frame.model.reads.append(Read(node.attr, node, frame.where, frame.model.tick()))
    values = frame.model.attributes.get(node.attr)
    if values:
        for value in values:
            value.attribute = node.attr
        return [_seen_later(frame, value, node) for value in values]
    if node.attr in frame.model.methods:
        if frame.model.is_property(node.attr):
            return frame.model.run(node.attr, [], {}, frame.where)
        return [Value("function", node, name=f"self.{node.attr}")]
    return [Value("other", node, attribute=node.attr)]


def _seen_later(frame: Frame, value: Value, node: ast.AST) -> Value:
    """What a method sees of an argument that another one left on `self`."""
    owner = value.argument.partition(".")[0]
    if value.kind != "argument" or owner == frame.where.function:
        return value
    return Value("other", node, attribute=value.attribute)


def of_call(frame: Frame, call: Invocation) -> list[Value] | None:
    """What a call of a method or a child of `self` returns; None where that is not known."""
    if call.method in frame.model.methods:
        made = frame.model.run(call.method, call.arguments, call.keywords, frame.where)
        # Each call makes another one, unless it returns what `self` has.
        return [
            replace(value, node=call.node, repeated=None)
            if value.kind == "module" and not value.attribute
            else value
            for value in made
        ]
    how = REGISTRATIONS.get(call.method)
    if how:
        _register(frame, call, how)
        return [Value("none", call.node)]
    module = next((value for value in call.callee if value.kind == "module"), None)
    if module is not None:
        return [of_module_call(frame, call.node, module, call.given)]
    if call.method == "get_parameter":
        return [Value("parameter", call.node, from_state=True)]
    return None


def _register(frame: Frame, call: Invocation, how: Registered) -> None:
    """Note a registration: `self.register_buffer("mask", mask)`."""
    node = call.node
    name = text_of(node.args[0] if node.args else keyword(node, "name"))
    value_node = node.args[1] if len(node.args) > 1 else None
    values = call.arguments[1] if len(call.arguments) > 1 else []
    for given in ("tensor", "param", "module"):
        if given in call.keywords:
            values, value_node = call.keywords[given], keyword(node, given)
    for value in values:
        register(value)
    if name is not None:
        kept = list(map(_as_buffer, values)) if how == "buffer" else list(values)
        frame.model.attributes[name] = kept or [Value("other", node, registered=True)]
    frame.note_assign("*" if name is None else name, values, node, value_node, how)


def _as_buffer(value: Value) -> Value:
    """What a module keeps of a tensor that is registered as a buffer."""
    return replace(value, kind="buffer", registered=True, items=[], from_state=False, makers=())


def set_by_name(frame: Frame, call: Invocation) -> list[Value] | None:
    """`setattr(self, name, value)`, or the same on a child."""
    if len(call.arguments) != 3:
        return None
    target, key, value = call.node.args
    values = call.arguments[2]
    child, name = attribute_under(target, frame.own), text_of(key)
    if child and name is not None:
        frame.note_assign(f"{child}.{name}", values, call.node, value, "setattr")
    if frame.is_self(target):
        for one in values:
            if one.kind in ("module", "parameter"):
                register(one)
        if name is not None or not isinstance(key, ast.Constant):
            attribute = "*" if name is None else name
            frame.model.attributes.setdefault(attribute, []).extend(values)
            frame.note_assign(attribute, values, call.node, value, "setattr")
    return [Value("none", call.node)]


def get_by_name(frame: Frame, call: Invocation) -> list[Value] | None:
    """`getattr(self, name)`, or the same of something else."""
    if not call.arguments:
        return None
    target = call.node.args[0]
    if frame.is_self(target):
        name = text_of(call.node.args[1] if len(call.node.args) > 1 else None)
        attribute = ast.Attribute(target, "*" if name is None else name, ast.Load())
        ast.copy_location(attribute, call.node)
        if name is not None:
            return read(frame, attribute)
        frame.model.reads.append(Read("*", attribute, frame.where, frame.model.tick()))
        if any(one.attribute == "*" and one.how == "buffer" for one in frame.model.assigns):
            return [Value("buffer", call.node, registered=True)]
    return [frame.derived("other", call.node, call.first)]
