"""NN403: calls of `forward` by its name."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.annotations import annotated
from nnscaffold.check.finding import Edit, Fix, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.file import File
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.index import Index
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Value


def find(model: ClassModel) -> Iterator[Finding]:
    """NN403: `forward` of another module is called past its hooks."""
    for call in model.calls:
        function = call.node.func
        if call.method != "forward" or not isinstance(function, ast.Attribute) or call.name:
            continue
        own = bool(call.receiver) and call.receiver[0].name == "self"
        if own or not any(_is_child(value) for value in call.receiver):
            continue
        file = model.file
        target = file.span(function.value)
        whole = file.span(function)
        cut = Edit(Span(target.end_line, target.end_column, whole.end_line, whole.end_column), "")
        text = ast.unparse(function.value)
        message = f"`{text}.forward(...)` skips the hooks of `{text}`"
        fix = Fix("Call the module itself", (cut,))
        where = f"{model.name}.{call.where.function}"
        yield file.finding("NN403", call.node, message, where, fix)


def _is_child(value: Value) -> bool:
    unknown = value.kind in ("other", "argument") and not value.name
    return value.kind == "module" or (unknown and bool(value.attribute))


def find_in_file(file: File, index: Index) -> Iterator[Finding]:
    """NN403 in functions that are given a module, and say so."""
    for function, owner in file.functions:
        if owner is not None:
            continue
        modules = {
            one.arg
            for one in (*function.args.args, *function.args.kwonlyargs)
            if (value := annotated(one.annotation, file.names, index)) and value.kind == "module"
        }
        for node in ast.walk(function) if modules else ():
            called = node.func if isinstance(node, ast.Call) else None
            if not isinstance(called, ast.Attribute) or called.attr != "forward":
                continue
            if isinstance(called.value, ast.Name) and called.value.id in modules:
                text = called.value.id
                target, whole = file.span(called.value), file.span(called)
                cut = Span(target.end_line, target.end_column, whole.end_line, whole.end_column)
                message = f"`{text}.forward(...)` skips the hooks of `{text}`"
                fix = Fix("Call the module itself", (Edit(cut, ""),))
                yield file.finding("NN403", node, message, function.name, fix)
