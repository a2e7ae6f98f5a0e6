"""A call, once its callee and its arguments were evaluated."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast

    from nnscaffold.check.values import Value


@dataclass(frozen=True, eq=False)
class Invocation:
    """What is called, and with what.

    Attributes:
        node: The call.
        name: The dotted name of what is called, as far as imports tell; else nothing.
        method: The name after the last dot; nothing where there is no dot.
        receiver: What a method may be called on; nothing where the dotted name is known.
        callee: What may be called, where it is neither a dotted name nor a method.
        arguments: What the arguments by position may be.
        keywords: What those by name may be; those of a dictionary under `**`.
    """

    node: ast.Call
    name: str = ""
    method: str = ""
    receiver: list[Value] = field(default_factory=list)
    callee: list[Value] = field(default_factory=list)
    arguments: list[list[Value]] = field(default_factory=list)
    keywords: dict[str, list[Value]] = field(default_factory=dict)

    @cached_property
    def given(self) -> list[Value]:
        """What all arguments may be."""
        every = (*self.arguments, *self.keywords.values())
        return [value for values in every for value in values]

    @property
    def first(self) -> list[Value]:
        """What the first argument by position may be; nothing if there is none."""
        return self.arguments[0] if self.arguments else []
