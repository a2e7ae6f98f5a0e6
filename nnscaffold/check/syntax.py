"""Questions that are asked of the nodes of `ast` alone, whatever their names mean."""

from __future__ import annotations

import ast
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all inside it, as `ast.walk` gives them, in less time.

    Contexts and operators are left out, which have nothing inside: `ast.Load`, `ast.Add`.
    """
    waiting = deque([node])
    while waiting:
        node = waiting.popleft()
        yield node
        for name in node._fields:
            value = getattr(node, name, None)
            if value.__class__ is list:
                for one in value:
                    if isinstance(one, ast.AST):
                        waiting.append(one)
            elif isinstance(value, ast.AST) and value._fields:
                waiting.append(value)


# Statements.


def blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    """The blocks inside a statement, those of handlers and cases too, in the order of the text."""
    found: list[list[ast.stmt]] = []
    for name in _BLOCKS.get(type(statement), ()):
        block = getattr(statement, name)
        if name in ("handlers", "cases"):
            found.extend(part.body for part in block)
        else:
            found.append(block)
    return found


_OF_LOOPS = ("body", "orelse")
_OF_TRIES = ("body", "handlers", "orelse", "finalbody")
_BLOCKS: dict[type[ast.stmt], tuple[str, ...]] = {
    ast.FunctionDef: ("body",),
    ast.AsyncFunctionDef: ("body",),
    ast.ClassDef: ("body",),
    ast.If: ("body", "orelse"),
    ast.For: _OF_LOOPS,
    ast.AsyncFor: _OF_LOOPS,
    ast.While: _OF_LOOPS,
    ast.With: ("body",),
    ast.AsyncWith: ("body",),
    ast.Try: _OF_TRIES,
    ast.TryStar: _OF_TRIES,
    ast.Match: ("cases",),
}


def statements(body: list[ast.stmt], *, inner: bool = False) -> Iterator[ast.stmt]:
    """Statements and those inside them, in the order of the text.

    Args:
        body: The statements of a file, a class or a function.
        inner: Whether to go into functions and classes, too. Otherwise these are the statements
            that run when the body does, as far as branches let them.
    """
    waiting = body[::-1]
    while waiting:
        statement = waiting.pop()
        yield statement
        if inner or not isinstance(statement, ast.ClassDef | Function):
            for block in reversed(blocks(statement)):
                waiting.extend(reversed(block))


def assigned(statement: ast.stmt) -> tuple[list[ast.expr], ast.expr | None]:
    """The targets of an assignment and its value; neither where nothing is assigned."""
    if isinstance(statement, ast.Assign):
        return statement.targets, statement.value
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        return [statement.target], statement.value
    return [], None


def imported_from(statement: ast.ImportFrom, package: str) -> str | None:
    """The dotted name of the module that `from … import` names.

    Args:
        statement: The import.
        package: The package of the file, which relative imports begin at; may be nothing.

    Returns:
        The name; None where the import leaves the outermost package.
    """
    if not statement.level:
        return statement.module or ""
    parts = package.split(".") if package else []
    kept = len(parts) - (statement.level - 1)
    if kept <= 0:
        return None
    return ".".join([*parts[:kept], *([statement.module] if statement.module else [])])


# Functions.


def positional(function: Function) -> list[ast.arg]:
    """The parameters that can be given by position, `self` included."""
    return [*function.args.posonlyargs, *function.args.args]


def every_parameter(of: ast.arguments) -> list[ast.arg]:
    """All parameters, `*args` and `**kwargs` included."""
    rest = [one for one in (of.vararg, of.kwarg) if one is not None]
    return [*of.posonlyargs, *of.args, *of.kwonlyargs, *rest]


def first_parameter(function: Function) -> str:
    """The name of the first parameter, which is `self` in a method; nothing if there is none."""
    return next((one.arg for one in positional(function)), "")


def has_docstring(function: Function) -> bool:
    """Whether a function begins with a docstring."""
    first = function.body[0]
    return isinstance(first, ast.Expr) and text_of(first.value) is not None


def accessor(method: Function) -> str:
    """A method's name; that of a property's setter is told apart from the property's."""
    for decorator in method.decorator_list:
        if isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "deleter"):
            return f"{method.name}.{decorator.attr}"
    return method.name


# Expressions.


def called(node: ast.expr) -> ast.expr:
    """A decorator or a context without its arguments: `torch.no_grad` of `torch.no_grad()`."""
    return node.func if isinstance(node, ast.Call) else node


def last_name(node: ast.expr) -> str:
    """The name that a chain of attributes ends with; nothing if it is no such chain."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def root_name(node: ast.expr) -> str:
    """The name that a chain of attributes begins with; nothing if it begins otherwise."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def text_of(node: ast.AST | None) -> str | None:
    """The text that a constant is; None if it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The expression of an argument by name; None if it is not given."""
    return next((one.value for one in call.keywords if one.arg == name), None)


def has_keyword(call: ast.Call, *names: str) -> bool:
    """Whether an argument is given by name, or may be, in a dictionary."""
    return any(one.arg in names or one.arg is None for one in call.keywords)


def is_given(call: ast.Call, name: str, value: object) -> bool:
    """Whether an argument is given by name as that constant."""
    given = keyword(call, name)
    return isinstance(given, ast.Constant) and given.value is value


def is_literal(node: ast.expr | None, *values: object) -> bool:
    """Whether it is one of these constants."""
    return isinstance(node, ast.Constant) and node.value in values and node.value is not None


def mentions(node: ast.AST | None, *names: str) -> bool:
    """Whether one of these is an attribute or a name in an expression."""
    for part in walk(node) if node is not None else ():
        if isinstance(part, ast.Attribute) and part.attr in names:
            return True
        if isinstance(part, ast.Name) and part.id in names:
            return True
    return False


def attribute_of(node: ast.expr, own: str) -> str:
    """The attribute of `self` that an expression is; nothing if it is none.

    Args:
        node: The expression.
        own: What `self` is called; nothing where there is none.
    """
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr if own and node.value.id == own else ""
    return ""


def attribute_under(node: ast.expr, own: str) -> str:
    """The attribute of `self` that an expression is, or is an item of: `x` in `self.x[0]["k"]`."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return attribute_of(node, own)
