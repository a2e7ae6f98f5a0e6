"""NN406: evaluation that records gradients."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from nnscaffold.check.finding import Edit, Fix, Span
from nnscaffold.check.syntax import called, first_parameter
from nnscaffold.check.torch_names import NO_GRAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.file import File
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.index import Index
    from nnscaffold.check.syntax import Function

_EVALUATES = re.compile(
    r"_*(?:run_|do_)?(?:evaluate|eval|validate|validation|predict|inference|infer)(?:_|\Z)"
)
_MODELS = frozenset({"model", "net", "network", "classifier", "predictor", "module"})
_NEEDS_GRADIENTS = frozenset(
    {
        *("backward", "requires_grad_", "requires_grad", "zero_grad", "enable_grad"),
        *("set_grad_enabled", "autograd", "optimizer", "grad"),
    }
)


def find_in_file(file: File, index: Index) -> Iterator[Finding]:
    """NN406: a function of evaluation calls a model outside `no_grad()`."""
    if "torch" not in file.source.text:
        return
    for function, owner in file.functions:
        name = function.name
        if not _EVALUATES.match(name) or name.endswith("_step") or name in ("eval", "_eval"):
            continue
        decorated = any(_is_without_gradients(file, one) for one in function.decorator_list)
        runs_later = isinstance(function, ast.AsyncFunctionDef)
        if decorated and not runs_later:
            continue  # of a coroutine, only its creation would be decorated
        is_module = owner is not None and index.is_module(file.class_names[owner])
        call = _model_call(file, function, of_self=is_module)
        if call is None:
            continue
        where = f"{owner.name}.{name}" if owner else name
        message = f"`{name}` calls a model and records gradients"
        fix = None if runs_later else _decorate(file, function)
        yield file.finding("NN406", file.head(function), message, where, fix)


def _is_without_gradients(file: File, node: ast.expr) -> bool:
    name = file.names.qualified(called(node))
    return name in NO_GRAD or name.rpartition(".")[2] in ("no_grad", "inference_mode")


def _model_call(file: File, function: Function, *, of_self: bool) -> ast.Call | None:
    """A call of a model outside `no_grad()`; None where there is none or gradients are needed."""
    found: list[ast.Call] = []
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Attribute) and node.attr in _NEEDS_GRADIENTS:
            return None
        if isinstance(node, ast.Name) and node.id in ("optimizer", "optim"):
            return None
        if isinstance(node, ast.With | ast.AsyncWith) and any(
            _is_without_gradients(file, item.context_expr) for item in node.items
        ):
            continue
        if isinstance(node, ast.Call) and _is_model(node.func, function, of_self=of_self):
            found.append(node)
        waiting.extend(ast.iter_child_nodes(node))
    return found[0] if found else None


def _is_model(node: ast.expr, function: Function, *, of_self: bool) -> bool:
    if isinstance(node, ast.Name):
        if of_self and node.id == first_parameter(function):
            return True
        return node.id in _MODELS
    if isinstance(node, ast.Attribute):
        if node.attr == "forward":
            return _is_model(node.value, function, of_self=of_self)
        return node.attr in _MODELS and isinstance(node.value, ast.Name)
    return False


def _decorate(file: File, function: Function) -> Fix:
    spelled, imports = file.spelled("torch.no_grad")
    line = function.lineno
    column = file.column(line, function.col_offset)
    indent = file.lines[line - 1][:column]
    edit = Edit(Span(line, 0, line, 0), f"{indent}@{spelled}()\n")
    return Fix(f"Decorate it with `@{spelled}()`", (edit, *imports))
