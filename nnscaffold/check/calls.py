"""Calls: what is called, with what, and what it returns."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from nnscaffold.check import own_attributes
from nnscaffold.check.events import Call
from nnscaffold.check.invocation import Invocation
from nnscaffold.check.methods import of_method, of_module_call
from nnscaffold.check.named_calls import of_named
from nnscaffold.check.syntax import root_name
from nnscaffold.check.values import OWN, Value

if TYPE_CHECKING:
    from nnscaffold.check.frame import Frame


def call(frame: Frame, node: ast.Call) -> list[Value]:
    """What a call returns, once what is called and what it is given were evaluated."""
    function = node.func
    receiver: list[Value] = []
    callee: list[Value] = []
    name = ""
    names = frame.model.file.names
    if isinstance(function, ast.Attribute):
        if frame.is_outside(root_name(function)):
            name = names.qualified(function)
        elif frame.is_self(function.value):
            callee = own_attributes.read(frame, function)
            receiver = [Value("other", function.value, name=OWN)]
        else:
            receiver = frame.values_of(function.value)
    elif isinstance(function, ast.Name) and function.id not in frame.scope:
        name = names.qualified(function)
    else:
        callee = frame.values_of(function)
    arguments = []
    for argument in node.args:
        arguments.append(frame.elements_of(argument))
    invocation = Invocation(
        node,
        name=name,
        method=function.attr if isinstance(function, ast.Attribute) else "",
        receiver=receiver,
        callee=callee,
        arguments=arguments,
        keywords={one.arg or "**": frame.values_of(one.value) for one in node.keywords},
    )
    return _noted(frame, invocation)


def _noted(frame: Frame, call: Invocation) -> list[Value]:
    """What a call returns; the model keeps it with what it is given."""
    results = _results(frame, call)
    frame.model.calls.append(
        Call(
            node=call.node,
            name=call.name,
            method=call.method,
            receiver=call.receiver,
            arguments=call.arguments,
            keywords=call.keywords,
            results=results,
            where=frame.where,
            order=frame.model.tick(),
        )
    )
    return results


def _results(frame: Frame, call: Invocation) -> list[Value]:
    on_self = bool(call.receiver) and call.receiver[0].is_self
    made = own_attributes.of_call(frame, call) if on_self else None
    if made is None and call.name:
        made = of_named(frame, call)
    for value in call.callee:
        if made is None:
            made = _of_callee(frame, call, value)
    if made is not None:
        return made
    if call.receiver and not on_self:
        return of_method(frame, call)
    result = frame.derived("other", call.node, [*call.callee, *call.given])
    injected = any(value.kind == "other" and value.attribute for value in call.callee)
    if injected and result.from_input and frame.where.function in frame.model.in_forward:
        # A module, or a function, that the constructor was given.
        result.kind = "tensor"
    return [result]


def _of_callee(frame: Frame, call: Invocation, callee: Value) -> list[Value] | None:
    """What something returns that a name or an expression holds; None where that is unknown."""
    if callee.kind == "class" and callee.name:
        return of_named(frame, replace(call, name=callee.name))
    if callee.kind == "module":
        return [of_module_call(frame, call.node, callee, call.given)]
    if callee.kind == "lambda" and isinstance(callee.node, ast.Lambda):
        return _of_lambda(frame, callee.node, call.node) or callee.items
    if callee.kind == "lambda" and callee.items:
        # Each call makes another one.
        return [
            replace(one, node=call.node, repeated=None) if one.kind == "module" else one
            for one in callee.items
        ]
    return None


def _of_lambda(frame: Frame, function: ast.Lambda, call: ast.Call) -> list[Value]:
    """What a `lambda` makes anew when it is called: `lambda: nn.Linear(2, 2)`."""
    body = function.body
    if not isinstance(body, ast.Call):
        return []
    name = frame.model.file.names.qualified(body.func)
    made = of_named(frame, Invocation(body, name)) or []
    return [replace(value, node=call) for value in made]
