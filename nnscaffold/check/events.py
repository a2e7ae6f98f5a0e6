"""What a method does that a rule may ask about, each with where it happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import ast
    from collections.abc import Sequence

    from nnscaffold.check.values import Value


How = Literal["assign", "item", "in-place", "grow", "buffer", "parameter", "module", "setattr"]


@dataclass(frozen=True)
class Guard:
    """A condition under which something runs."""

    test: ast.expr
    holds: bool


@dataclass(frozen=True)
class Where:
    """The surroundings of an event.

    Attributes:
        function: The method or function.
        guards: The conditions around it, and those under which something before it returned.
        no_grad: Whether it runs without gradients.
        contexts: The dotted names of the contexts around it.
        loop: The innermost loop around it.
        nested: Whether it is in a function inside the method.
        fails: Whether it is in a branch that ends with an error.
    """

    function: str
    guards: tuple[Guard, ...] = ()
    no_grad: bool = False
    contexts: tuple[str, ...] = ()
    loop: ast.AST | None = None
    nested: bool = False
    fails: bool = False


@dataclass(frozen=True, eq=False)
class Assign:
    """Something is assigned to an attribute of `self`, registered under its name, or put into it.

    Attributes:
        attribute: Its name; `*` where that is computed.
        values: What it may be.
        node: The statement or call.
        value: The expression, where there is one.
        how: By assignment, by item (`self.x[k] = v`), in place (`self.x += v`), by a method that
            makes a container grow, or by a registration.
        where: Its surroundings.
        order: Its place in the order of reading.
    """

    attribute: str
    values: list[Value]
    node: ast.stmt | ast.expr
    value: ast.expr | None
    how: How
    where: Where
    order: int = 0


@dataclass(frozen=True, eq=False)
class Call:
    """A call.

    Attributes:
        node: The call.
        name: The dotted name of what is called, as far as imports tell.
        method: The name after the last dot.
        receiver: What the method may be called on.
        arguments: What the arguments by position may be.
        keywords: What those by name may be.
        results: What it may return.
        where: Its surroundings.
        order: Its place in the order of reading.
    """

    node: ast.Call
    name: str
    method: str
    receiver: list[Value]
    arguments: list[list[Value]]
    keywords: dict[str, list[Value]]
    results: list[Value]
    where: Where
    order: int = 0


@dataclass(frozen=True, eq=False)
class Write:
    """A tensor changes in place: by an index, an operator or a method.

    Attributes:
        values: What may change.
        node: The statement or call.
        how: By what.
        where: Its surroundings.
        name: The name of the method.
        key: The index.
        given: What is written.
    """

    values: list[Value]
    node: ast.stmt | ast.expr
    how: Literal["index", "operator", "method"]
    where: Where
    name: str = ""
    key: ast.expr | None = None
    given: Sequence[Value] = ()


@dataclass(frozen=True, eq=False)
class Read:
    """An attribute of `self` is read."""

    attribute: str
    node: ast.Attribute
    where: Where
    order: int = 0


@dataclass(frozen=True, eq=False)
class Decision:
    """A value decides what runs: the condition of a branch or a loop."""

    values: list[Value]
    node: ast.AST
    where: Where
