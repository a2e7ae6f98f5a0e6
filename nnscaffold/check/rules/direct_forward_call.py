"""NN403: calls of `forward` by its name."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from nnscaffold.check.finding import Edit, Fix, Span
from nnscaffold.check.rules.shared.instances import plain_scopes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.file import File
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.index import Index
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Value

# What may be such a call; few files have one, and reading scopes takes time.
_CALL = re.compile(r"(?<!super\(\))\.\s*forward\b")


def find(model: ClassModel) -> Iterator[Finding]:
    """NN403: a module calls `forward` of another one past its hooks."""
    for call in model.calls:
        function = call.node.func
        if call.method != "forward" or not isinstance(function, ast.Attribute) or call.name:
            continue
        own = bool(call.receiver) and call.receiver[0].is_self
        if not own and any(_is_child(value) for value in call.receiver):
            where = f"{model.name}.{call.where.function}"
            yield _finding(model.file, call.node, function, where)


def find_in_file(file: File, index: Index) -> Iterator[Finding]:
    """NN403 outside of modules: in scripts, functions and other classes."""
    if not _CALL.search(file.source.text):
        return
    for scope in plain_scopes(file, index):
        for node in scope.nodes:
            called = node.func if isinstance(node, ast.Call) else None
            if not isinstance(called, ast.Attribute) or called.attr != "forward":
                continue
            if scope.is_module(called.value):
                yield _finding(file, node, called, scope.name or ast.unparse(called.value))


def _finding(file: File, call: ast.AST, function: ast.Attribute, where: str) -> Finding:
    target, whole = file.span(function.value), file.span(function)
    cut = Span(target.end_line, target.end_column, whole.end_line, whole.end_column)
    text = ast.unparse(function.value)
    message = f"`{text}.forward(...)` skips the hooks of `{text}`"
    fix = Fix("Call the module itself", (Edit(cut, ""),))
    return file.finding("NN403", call, message, where, fix)


def _is_child(value: Value) -> bool:
    unknown = value.kind in ("other", "argument") and not value.name
    return value.kind == "module" or (unknown and bool(value.attribute))
