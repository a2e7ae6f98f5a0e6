"""NN501: attributes that cannot be pickled."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.asking import flat
from nnscaffold.check.syntax import last_name, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel

_RESOURCES = frozenset(
    {
        *("threading.Lock", "threading.RLock", "threading.Condition", "threading.Event"),
        *("threading.Thread", "threading.Semaphore", "open", "io.open"),
    }
)
_COLLECTIONS = ("OrderedDict", "defaultdict", "deque")


def find(model: ClassModel) -> Iterator[Finding]:
    """NN501: a lambda or a local function on `self`."""
    if model.overrides("__getstate__", "__reduce__", "__reduce_ex__"):
        return
    reported: set[str] = set()
    for one in model.assigns:
        if one.how not in ("assign", "setattr", "grow", "item") or one.attribute in reported:
            continue
        passed = _passed_on(one.value)
        held = [
            value
            for value in flat(one.values)
            if value.kind == "lambda" and id(value.node) not in passed
        ]
        if not held and isinstance(one.value, ast.Call) and _is_partial_of_lambda(one.value):
            held = one.values
        opened = any(isinstance(v.node, ast.Call) and _opens(model, v.node) for v in one.values)
        if opened or isinstance(one.value, ast.GeneratorExp):
            reported.add(one.attribute)
            what = "a resource of this process" if opened else "a generator"
            message = f"`self.{one.attribute}` is {what}: it cannot be pickled"
            where = f"{model.name}.{one.attribute}"
            yield model.file.finding("NN501", one.node, message, where)
        elif held:
            reported.add(one.attribute)
            local = isinstance(held[0].node, ast.FunctionDef)
            what = "a local function" if local else "a lambda"
            message = f"`self.{one.attribute}` is {what}, which cannot be pickled"
            where = f"{model.name}.{one.attribute}"
            yield model.file.finding("NN501", one.node, message, where)


def _opens(model: ClassModel, node: ast.Call) -> bool:
    """Whether a call makes a lock, a thread or an open file."""
    return model.file.names.qualified(node.func) in _RESOURCES


def _passed_on(value: ast.expr | None) -> set[int]:
    """The lambdas that are handed to a function, which may call them and return what they make."""
    return {
        id(given)
        for call in (walk(value) if value is not None else ())
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name | ast.Attribute)
        and last_name(call.func) not in ("partial", "dict", "list", "tuple", *_COLLECTIONS)
        for given in (*call.args, *(keyword.value for keyword in call.keywords))
        if isinstance(given, ast.Lambda)
    }


def _is_partial_of_lambda(node: ast.Call) -> bool:
    return last_name(node.func) == "partial" and any(
        isinstance(one, ast.Lambda) for one in node.args
    )
