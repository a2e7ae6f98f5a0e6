"""From sources to findings, in two steps, so that each can be cached.

`summarise` takes from one file what others need to know of it; `Index` puts the summaries of a tree
together; `find` then looks at one file with the index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable

    from nnscaffold.check.finding import Finding


@dataclass(frozen=True)
class Source:
    """A file of Python.

    Attributes:
        path: Its name, as it is shown.
        module: Its dotted name, as others import it.
        text: Its text.
    """

    path: str
    module: str
    text: str


@dataclass(frozen=True)
class Summary:
    """What other files need to know of one: its classes and what its imports mean."""

    module: str


class Index:
    """The summaries of a tree.

    Args:
        summaries: One of each file.
        roots: Dotted names of further classes whose subclasses are modules.

    Attributes:
        digest: Changes with whatever findings of a file depend on besides its own text.
    """

    def __init__(self, summaries: Iterable[Summary], roots: Iterable[str] = ()) -> None:
        self.digest = ""


def summarise(source: Source, tree: ast.Module) -> Summary:
    """Take from a file what others need to know of it."""
    return Summary(source.module)


def find(source: Source, tree: ast.Module, index: Index) -> list[Finding]:
    """All findings of one file, by every rule, in the order of their places."""
    return []
