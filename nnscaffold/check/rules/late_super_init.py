"""NN102: what is registered before `super().__init__()`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.finding import Edit, Fix, Span
from nnscaffold.check.rules.shared.constructors import calls_in_constructor, initialises
from nnscaffold.check.rules.shared.edits import start_of
from nnscaffold.check.syntax import every_parameter, has_docstring, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Assign, Call
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.syntax import Function
    from nnscaffold.check.values import Value


def find(model: ClassModel) -> Iterator[Finding]:
    """NN102: something is registered before the constructor of `nn.Module` ran."""
    constructor, first = model.methods.get("__init__"), _first_call(model)
    if constructor is None or first is None:
        return
    early = [
        one
        for one in model.assigns
        if one.order < first.order
        and one.where.function in model.in_constructor
        and (one.how in ("buffer", "parameter", "module") or _registers(one.values, one.how))
    ]
    for one in early[:1]:
        name = f"{model.name}.{one.attribute}"
        message = f"`self.{one.attribute}` is registered before `super().__init__()`"
        if one.attribute == "*":
            message = "something is registered before `super().__init__()`"
        node: ast.AST = one.node
        if one.where.function != "__init__":
            calls = (
                call.node
                for call in calls_in_constructor(model)
                if call.method == one.where.function
            )
            node = next(calls, node)
        fix = _earlier(model, constructor, first)
        yield model.file.finding("NN102", node, message, name, fix)


def stays_early(model: ClassModel, one: Assign) -> bool:
    """Whether it is assigned before a `super().__init__()` that no fix can move before it."""
    constructor, first = model.methods.get("__init__"), _first_call(model)
    return (
        constructor is not None
        and first is not None
        and one.order < first.order
        and one.where.function in model.in_constructor
        and _earlier(model, constructor, first) is None
    )


def _first_call(model: ClassModel) -> Call | None:
    """The first call that reaches the constructor of `nn.Module`."""
    calls = (call for call in calls_in_constructor(model) if initialises(model, call))
    return min(calls, key=lambda call: call.order, default=None)


def _registers(values: list[Value], how: str) -> bool:
    kinds = ("module", "parameter")
    return how in ("assign", "setattr") and any(value.kind in kinds for value in values)


def _earlier(model: ClassModel, constructor: Function, call: Call) -> Fix | None:
    """Move the call before the first statement, if it needs nothing from those between."""
    file = model.file
    statement = next(
        (one for one in constructor.body if isinstance(one, ast.Expr) and one.value is call.node),
        None,
    )
    parameters = {one.arg for one in every_parameter(constructor.args)}
    used = {part.id for one in call.node.args for part in walk(one) if isinstance(part, ast.Name)}
    used |= {
        part.id
        for one in call.node.keywords
        for part in walk(one.value)
        if isinstance(part, ast.Name)
    }
    if statement is None or not used <= parameters:
        return None
    first = constructor.body[1] if has_docstring(constructor) else constructor.body[0]
    span, begin = file.span(statement), start_of(file, statement)
    after = file.lines[span.end_line - 1][span.end_column :].strip()
    alone = not file.lines[span.line - 1][: span.column].strip() and after[:1] in ("", "#")
    place = start_of(file, first)
    if not alone or file.lines[place.line - 1][: place.column].strip():
        return None
    # With the comments above it and behind it.
    moved = "\n".join(file.lines[begin.line - 1 : span.end_line])
    removal = Edit(Span(begin.line, 0, span.end_line + 1, 0), "")
    if span.end_line >= len(file.lines):
        # The last line has none after it: what goes is the end of the line before.
        end = (span.end_line, len(file.lines[span.end_line - 1]))
        removal = Edit(Span(begin.line - 1, len(file.lines[begin.line - 2]), *end), "")
    insertion = Edit(Span(place.line, 0, place.line, 0), f"{moved}\n")
    return Fix("Move `super().__init__()` before it", (insertion, removal))
