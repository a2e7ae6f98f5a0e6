"""What calls of known names return: classes of modules, Python's own functions, functions of torch.

To make another function known, write what it returns and add it to `_FUNCTIONS`.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from nnscaffold.check import own_attributes, tensors
from nnscaffold.check.invocation import Invocation
from nnscaffold.check.syntax import is_given
from nnscaffold.check.torch_names import (
    BUFFERS,
    MODULE_CONTAINERS,
    MODULES,
    PARAMETER_CONTAINERS,
    PARAMETERS,
)
from nnscaffold.check.values import CONTAINERS, Value, contained, holding, register

if TYPE_CHECKING:
    from collections.abc import Callable

    from nnscaffold.check.frame import Frame
    from nnscaffold.check.values import Kind

# Norms that have no state without their affine parameters.
_NORMS = {
    "torch.nn.LayerNorm": "elementwise_affine",
    "torch.nn.RMSNorm": "elementwise_affine",
    "torch.nn.GroupNorm": "affine",
}
_COLLECTIONS: dict[str, Kind] = {
    "list": "list",
    "tuple": "tuple",
    "set": "set",
    "frozenset": "set",
    "dict": "dict",
    "collections.OrderedDict": "dict",
    "collections.defaultdict": "dict",
    "collections.deque": "list",
}


def of_named(frame: Frame, call: Invocation) -> list[Value] | None:
    """What a call of a dotted name returns; None where the name says nothing."""
    name, index = call.name, frame.model.index
    known = _FUNCTIONS.get(name)
    if known:
        return known(frame, call)
    if name in MODULES or index.is_module(name):
        return [_module(frame, call)]
    if tensors.is_function(name):
        return [tensors.of_function(frame, call)]
    if name.startswith("torch.distributions.") and any(one.is_tensor for one in call.given):
        return [Value("tuple", call.node, name=name, items=call.given)]
    facts = index.facts(name)
    if facts is not None and facts.is_record:
        return [Value("tuple", call.node, name=name, items=call.given)]
    if facts is not None:
        return [Value("other", call.node, name=name)]
    function = frame.model.file.names.function(name)
    return frame.model.returns_of(function, call.node, call.given) if function else None


# What a module is made of.


def _parameter(frame: Frame, call: Invocation) -> list[Value]:
    data = call.first if call.arguments else call.keywords.get("data", [])
    unwritten = any(value.unwritten for value in data)
    made = Value("parameter", call.node, name=call.name, items=data, from_state=True)
    made.unwritten = unwritten
    return [made]


def _buffer(frame: Frame, call: Invocation) -> list[Value]:
    return [Value("buffer", call.node, name=call.name, registered=True)]


def _registering_container(frame: Frame, call: Invocation) -> list[Value]:
    """A `ModuleList`, a `ParameterDict` and their kind."""
    items = [*contained(call.given), *(one for one in call.given if one.kind not in CONTAINERS)]
    frame.note_twice(call.node.args, call.node)
    for value in call.given:
        register(value)
    stateful = any(item.stateful is not False for item in items) if items else None
    return [Value("module", call.node, name=call.name, items=items, stateful=stateful)]


def _module(frame: Frame, call: Invocation) -> Value:
    for value in call.given:
        if value.kind == "module":
            register(value)
    stateful = frame.model.index.stateful(call.name)
    if call.name in _NORMS and is_given(call.node, _NORMS[call.name], False):
        stateful = False
    return Value("module", call.node, name=call.name, stateful=stateful)


# Copies.


def _deep_copy(frame: Frame, call: Invocation) -> list[Value]:
    return [replace(value, node=call.node, registered=False) for value in call.given]


def _shallow_copy(frame: Frame, call: Invocation) -> list[Value]:
    return call.given  # which shares the parameters


# Containers, and what goes through them.


def _collection(frame: Frame, call: Invocation) -> list[Value]:
    kind = _COLLECTIONS[call.name]
    items = frame.items_of(call.first, call.node)
    items += [value for value in call.given if value.kind == "lambda"]
    items += [value for values in call.keywords.values() for value in values]
    if kind == "dict":  # of pairs of a key and a value
        items += [one for item in items if item.kind == "tuple" for one in item.items]
    return [holding(kind, call.node, items)]


def _dict_of_keys(frame: Frame, call: Invocation) -> list[Value] | None:
    if len(call.arguments) < 2:
        return None
    for value in call.arguments[1]:
        value.repeated = call.node
    return [Value("dict", call.node, items=call.arguments[1])]


def _passed_on(frame: Frame, call: Invocation) -> list[Value]:
    return [Value("list", call.node, items=frame.items_of(call.given, call.node))]


def _next(frame: Frame, call: Invocation) -> list[Value]:
    return frame.items_of(call.given, call.node)


def _zip(frame: Frame, call: Invocation) -> list[Value]:
    return _tuples(call.node, [frame.items_of(values, call.node) for values in call.arguments])


def _enumerate(frame: Frame, call: Invocation) -> list[Value]:
    items = [frame.items_of(values, call.node) for values in call.arguments]
    return _tuples(call.node, [[Value("number", call.node)], *items[:1]])


def _tuples(node: ast.Call, parts: list[list[Value]]) -> list[Value]:
    """A list of tuples, each place of which holds what is known of it."""
    flat = [value for values in parts for value in values]
    return [Value("list", node, items=[Value("tuple", node, items=flat, parts=parts)])]


def _map(frame: Frame, call: Invocation) -> list[Value]:
    """What `map` makes: modules, where a class of modules is mapped."""
    items = [frame.items_of(values, call.node) for values in call.arguments]
    made: list[Value] | None = None
    if call.node.args:
        function = call.node.args[0]
        known = (one.name for one in frame.values_of(function) if one.kind in ("class", "function"))
        name = next(known, "")
        each = ast.copy_location(ast.Call(function, call.node.args[1:], []), call.node)
        made = of_named(frame, Invocation(each, name, arguments=items[1:])) if name else None
    return [Value("list", call.node, items=made or [Value("other", call.node)])]


def _partial(frame: Frame, call: Invocation) -> list[Value] | None:
    kept = [one for one in call.given if one.kind in ("module", "parameter", "lambda")]
    return [Value("tuple", call.node, name=call.name, items=kept)] if kept else None


# Plain values.


def _number(frame: Frame, call: Invocation) -> list[Value]:
    return [Value("number", call.node)]


def _text(frame: Frame, call: Invocation) -> list[Value]:
    return [Value("text", call.node)]


_FUNCTIONS: dict[str, Callable[[Frame, Invocation], list[Value] | None]] = {
    **dict.fromkeys(PARAMETERS, _parameter),
    **dict.fromkeys(BUFFERS, _buffer),
    **dict.fromkeys(MODULE_CONTAINERS | PARAMETER_CONTAINERS, _registering_container),
    **dict.fromkeys(_COLLECTIONS, _collection),
    **dict.fromkeys(("sorted", "reversed", "iter", "filter"), _passed_on),
    **dict.fromkeys(("float", "int", "bool", "len", "round", "range"), _number),
    "copy.copy": _shallow_copy,
    "copy.deepcopy": _deep_copy,
    "dict.fromkeys": _dict_of_keys,
    "enumerate": _enumerate,
    "functools.partial": _partial,
    "getattr": own_attributes.get_by_name,
    "map": _map,
    "next": _next,
    "setattr": own_attributes.set_by_name,
    "str": _text,
    "zip": _zip,
}
