"""Questions about expressions, as they are written."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nnscaffold.check.file import Function


def mentions(node: ast.AST | None, *names: str) -> bool:
    """Whether one of these is an attribute or a name in an expression."""
    for part in ast.walk(node) if node is not None else ():
        if isinstance(part, ast.Attribute) and part.attr in names:
            return True
        if isinstance(part, ast.Name) and part.id in names:
            return True
    return False


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The expression of an argument by name; None if it is not given."""
    return next((one.value for one in call.keywords if one.arg == name), None)


def has_keyword(call: ast.Call, *names: str) -> bool:
    """Whether an argument is given by name, or may be, in a dictionary."""
    return any(one.arg in names or one.arg is None for one in call.keywords)


def is_literal(node: ast.expr | None, *values: object) -> bool:
    """Whether it is one of these constants."""
    return isinstance(node, ast.Constant) and node.value in values and node.value is not None


def last_name(node: ast.expr) -> str:
    """The last part of a dotted name: `Linear` of `nn.Linear`; else nothing."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def without_call(decorator: ast.expr) -> ast.expr:
    """What a decorator names, with arguments or without: `lru_cache` of `@lru_cache(8)`."""
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def has_docstring(function: Function) -> bool:
    """Whether a function begins with a docstring."""
    first = function.body[0]
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
