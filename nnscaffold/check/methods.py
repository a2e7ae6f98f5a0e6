"""What methods return, by what they are called on: a container, a module, a tensor."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from nnscaffold.check import tensors
from nnscaffold.check.events import Write
from nnscaffold.check.syntax import attribute_under, is_given
from nnscaffold.check.torch_names import RETURN_THEMSELVES, TENSOR_METHODS
from nnscaffold.check.values import CONTAINERS, Value, contained, register

if TYPE_CHECKING:
    from nnscaffold.check.events import How
    from nnscaffold.check.frame import Frame
    from nnscaffold.check.invocation import Invocation

# Methods that put something into a container.
_GROWING = frozenset({"append", "extend", "insert", "add", "update", "setdefault", "appendleft"})
# Methods that put what a list holds in another order, a different one at each call.
_REORDERING = frozenset({"reverse", "rotate"})
# Methods that register what they are given, with the module that they are called on.
_REGISTERING = frozenset({"append", "extend", "insert", "add_module", "update", "register_module"})


def of_method(frame: Frame, call: Invocation) -> list[Value]:
    """What a method returns, of any of the receivers."""
    in_place = call.method.endswith("_") and not call.method.endswith("__")
    for value in call.receiver:
        if value.kind == "argument" and (call.method in TENSOR_METHODS or in_place):
            value.tensor_like = True
    found = [made for value in call.receiver for made in _of_receiver(frame, call, value)]
    if any(value.attribute for value in call.receiver):
        if call.method in _GROWING:
            _note_change(frame, call, "grow")
        elif call.method in _REORDERING:
            _note_change(frame, call, "in-place")
    return found or [Value("other", call.node)]


def _of_receiver(frame: Frame, call: Invocation, value: Value) -> list[Value]:
    if value.kind in CONTAINERS:
        return _of_container(frame, call, value)
    if value.kind == "module":
        return _of_module(frame, call, value)
    if value.is_tensor:
        return [tensors.of_method(frame, call.node, call.method, value, call.given)]
    if value.kind == "class" and call.method == "apply":
        # A `torch.autograd.Function`, say.
        return [frame.derived("tensor", call.node, call.given)]
    made = frame.derived("other", call.node, [value, *call.given])
    made.from_input = made.from_input or value.kind == "argument" or value.from_input
    return [made]


def _note_change(frame: Frame, call: Invocation, how: How) -> None:
    """Note that a container on `self` is put in another order, or something into it."""
    function = call.node.func
    attribute = (
        attribute_under(function.value, frame.own) if isinstance(function, ast.Attribute) else ""
    )
    if attribute:
        value = call.node.args[-1] if call.node.args else None
        frame.note_assign(attribute, call.given, call.node, value, how)


def _of_container(frame: Frame, call: Invocation, value: Value) -> list[Value]:
    method, node = call.method, call.node
    if method in _GROWING:
        if method in ("extend", "update"):
            frame.put(value, frame.items_of(call.given, node))
        else:
            added = call.arguments[-1] if call.arguments else []
            frame.note_repeats(added, frame.where.loop, node)
            frame.put(value, added)
        return list(value.items) if method == "setdefault" else [Value("none", node)]
    if method in ("values", "__iter__"):
        return [value]
    if method == "copy":
        return [replace(value, items=list(value.items))]
    if method == "keys":
        return [Value("list", node)]
    if method == "items":
        return [_named(node, value.items)]
    if method in ("get", "pop", "popleft", "popitem"):
        return value.held
    return [Value("other", node)]


def _of_module(frame: Frame, call: Invocation, module: Value) -> list[Value]:
    method, node = call.method, call.node
    if method in RETURN_THEMSELVES:
        return [module]
    if method in _REGISTERING:
        frame.note_repeats(call.given, frame.where.loop, node)
        for one in call.given:
            register(one)
            module.items += list(contained([one])) or [one]
        return [module]
    if method in ("values", "children", "modules"):
        return [Value("list", node, items=list(module.items))]
    if method in ("items", "named_children", "named_modules"):
        return [_named(node, module.items)]
    if method in ("parameters", "buffers"):
        return [Value("list", node, items=[Value("parameter", node, registered=True)])]
    if method == "named_parameters":
        return [_named(node, [Value("parameter", node, registered=True)])]
    if method in ("forward", "__call__"):
        return [of_module_call(frame, node, module, call.given)]
    return [frame.derived("other", node, call.given)]


def _named(node: ast.Call, items: list[Value]) -> Value:
    """A list of pairs, of a name and one of some values."""
    pair = Value("tuple", node, items=[Value("text", node), *items])
    return Value("list", node, items=[pair])


def of_module_call(frame: Frame, node: ast.Call, module: Value, given: list[Value]) -> Value:
    """What a module returns when it is called."""
    for value in given:
        if value.kind == "argument":
            value.tensor_like = True
    made_by = module.node
    if module.name == "torch.nn.Sequential" and isinstance(made_by, ast.Call) and made_by.args:
        made_by = made_by.args[0]  # which gets what the Sequential is given
    if isinstance(made_by, ast.Call) and is_given(made_by, "inplace", True):
        frame.model.writes.append(Write(given, node, "method", frame.where, "inplace=True"))
    made = frame.derived("tensor", node, given)
    made.from_state = made.from_state or bool(module.stateful)
    if module.stateful is not False:
        frame.model.met.update(maker for value in given for maker in value.makers)
        made.makers = ()
        made.from_input = True
    return made
