"""NN111: what every instance shares."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.asking import flat
from nnscaffold.check.syntax import positional

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.syntax import Function


def find(model: ClassModel) -> Iterator[Finding]:
    """NN111: a module with state, or a tensor, as a default argument or class attribute."""
    for name, function in model.methods.items():
        for parameter, default in _defaults(function):
            if what := _shared(model, default):
                message = f"the default of `{parameter.arg}` is {what} that all instances share"
                where = f"{model.name}.{name}"
                yield model.file.finding("NN111", default, message, where)
    for statement in model.node.body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            continue
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if names and (what := _shared(model, statement.value)):
            message = f"the class attribute `{names[0]}` is {what} that all instances share"
            yield model.file.finding("NN111", statement, message, f"{model.name}.{names[0]}")


def _defaults(function: Function) -> Iterator[tuple[ast.arg, ast.expr]]:
    """The parameters of a function that have a default, each with that."""
    spec = function.args
    last = positional(function)[-len(spec.defaults) :] if spec.defaults else []
    yield from zip(last, spec.defaults, strict=True)
    for parameter, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        if default is not None:
            yield parameter, default


def _shared(model: ClassModel, node: ast.expr) -> str:
    """What is shared, in words; nothing if it does not matter."""
    for value in flat(model.evaluated(node)):
        if not isinstance(value.node, ast.Call) and value.kind != "tensor":
            continue
        if value.kind == "module" and value.stateful:
            return f"a {value.name.rpartition('.')[2]}"
        if value.kind in ("parameter", "buffer"):
            return f"a {value.kind}"
        if value.kind == "tensor" and isinstance(value.node, ast.Call | ast.BinOp | ast.UnaryOp):
            return "a tensor"
    return ""
