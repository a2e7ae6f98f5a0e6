"""Questions about constructors: whether they reach that of `nn.Module`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Call
    from nnscaffold.check.model import ClassModel


def calls_in_constructor(model: ClassModel) -> Iterator[Call]:
    """The calls in `__init__` and in the methods that it reaches."""
    return (call for call in model.calls if call.where.function in model.in_constructor)


def initialises(model: ClassModel, call: Call) -> bool:
    """Whether a call reaches `nn.Module.__init__`."""
    return reaches_module(model, call.node.func)


def reaches_module(model: ClassModel, function: ast.expr) -> bool:
    """Whether it is a constructor that reaches `nn.Module.__init__`: `super().__init__`."""
    if not isinstance(function, ast.Attribute) or function.attr != "__init__":
        return False
    target = function.value
    if isinstance(target, ast.Call) and isinstance(target.func, ast.Name):
        if target.func.id != "super":
            return False
        # `super(nn.Module, self)` begins after `nn.Module`.
        if target.args and model.file.names.qualified(target.args[0]) == "torch.nn.Module":
            return False
        return bool(target.args) or not blocking_base(model)
    if isinstance(target, ast.Name) and target.id in ("self", "cls"):
        return False
    name = model.file.names.qualified(target)
    facts = model.index.facts(name)
    return facts is None or model.index.is_module(name) or facts.initialises


def blocking_base(model: ClassModel) -> str:
    """The first base, if its constructor is where `super().__init__()` ends: a mixin's."""
    own = model.index.facts(model.qualified)
    first = own.bases[0] if own and own.bases else ""
    facts = model.index.facts(first)
    if facts is None or model.index.is_module(first) or "__init__" not in facts.methods:
        return ""
    return "" if facts.initialises else facts.name.rpartition(".")[2]
