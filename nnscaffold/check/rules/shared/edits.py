"""Edits that fixes of several rules are made of."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.finding import Edit, Span

if TYPE_CHECKING:
    from nnscaffold.check.file import File


def add_argument(file: File, call: ast.Call, text: str) -> Edit | None:
    """The edit that adds an argument to a call; None where a comment stands in its way."""
    span = file.span(call)
    given = [*call.args, *(one.value for one in call.keywords)]
    if not given:
        return Edit(
            Span(span.end_line, span.end_column - 1, span.end_line, span.end_column - 1), text
        )
    last = max((file.span(one) for one in given), key=lambda one: (one.end_line, one.end_column))
    # From the last argument to the bracket that closes the call there are brackets, a comma, space.
    line, column = span.end_line, span.end_column - 1
    while True:
        before = file.lines[line - 1][:column]
        if line == last.end_line:
            before = before[last.end_column :]
        if "#" in before:
            return None
        stripped = before.rstrip()
        if stripped or line == last.end_line:
            column = len(before.rstrip()) + (last.end_column if line == last.end_line else 0)
            break
        line -= 1
        column = len(file.lines[line - 1])
    comma = stripped.endswith(",")
    return Edit(Span(line, column, line, column), f" {text}" if comma else f", {text}")


def start_of(file: File, statement: ast.stmt) -> Span:
    """The place before a statement, its decorators and the comments above it; an empty stretch."""
    line = statement.lineno
    if isinstance(statement, ast.FunctionDef | ast.ClassDef) and statement.decorator_list:
        line = statement.decorator_list[0].lineno
    column = file.column(line, statement.col_offset)
    comment = f"{file.lines[line - 1][:column]}#"
    while file.lines[line - 2].startswith(comment):
        line -= 1
    return Span(line, column, line, column)
