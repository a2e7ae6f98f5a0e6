"""Questions that several rules ask of a model, and edits that several of them make."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.finding import Edit, Span
from nnscaffold.check.values import contained, origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nnscaffold.check.events import Where
    from nnscaffold.check.file import File
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Value


def flat(values: Iterable[Value]) -> Iterator[Value]:
    """The values, and in the place of containers what they hold."""
    for value in values:
        if value.items and value.kind in ("list", "tuple", "set", "dict"):
            yield from contained([value])
        else:
            yield value


def mentions(node: ast.AST | None, *names: str) -> bool:
    """Whether one of these is an attribute or a name in an expression."""
    for part in ast.walk(node) if node is not None else ():
        if isinstance(part, ast.Attribute) and part.attr in names:
            return True
        if isinstance(part, ast.Name) and part.id in names:
            return True
    return False


def guarded_by(where: Where, *names: str) -> bool:
    """Whether a condition around an event mentions one of these names."""
    return any(mentions(guard.test, *names) for guard in where.guards)


def runs_in_training_only(where: Where) -> bool:
    """Whether the conditions around an event ask for training, as far as they can be read."""
    for guard in where.guards:
        test, holds = guard.test, guard.holds
        while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test, holds = test.operand, not holds
        if isinstance(test, ast.Attribute) and test.attr == "training":
            if holds:
                return True
        elif mentions(test, "training"):
            return True
    return False


def touched(model: ClassModel, functions: frozenset[str] | None = None) -> set[int]:
    """The identities of the values that something is done to: written, or handed to a function."""
    found: set[int] = set()
    for write in model.writes:
        if functions is None or write.where.function in functions:
            found.update(id(origin(value)) for value in write.values)
    for write in model.data_writes:
        if functions is None or write.where.function in functions:
            found.update(id(origin(value)) for value in write.values)
    for call in model.calls:
        if functions is not None and call.where.function not in functions:
            continue
        if call.name.startswith("torch.nn.") and not call.name.startswith("torch.nn.init."):
            continue
        if call.method in ("register_parameter", "register_buffer", "size", "append", "__init__"):
            continue
        for values in (*call.arguments, *call.keywords.values()):
            found.update(id(origin(value)) for value in flat(values))
    return found


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The expression of an argument by name; None if it is not given."""
    return next((one.value for one in call.keywords if one.arg == name), None)


def has_keyword(call: ast.Call, *names: str) -> bool:
    """Whether an argument is given by name, or may be, in a dictionary."""
    return any(one.arg in names or one.arg is None for one in call.keywords)


def is_literal(node: ast.expr | None, *values: object) -> bool:
    """Whether it is one of these constants."""
    return isinstance(node, ast.Constant) and node.value in values and node.value is not None


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
