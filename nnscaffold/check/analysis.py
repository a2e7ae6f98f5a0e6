"""From sources to findings, in two steps, so that each can be cached.

`summarise` takes from one file what others need to know of it; `Index` puts the summaries of a tree
together; `find` then looks at one file with the index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnscaffold.check.causes import without_effects
from nnscaffold.check.file import File
from nnscaffold.check.index import Index, Summary, summarise_classes
from nnscaffold.check.model import ClassModel
from nnscaffold.check.rules import OF_CLASSES, OF_FILES

if TYPE_CHECKING:
    import ast

    from nnscaffold.check.finding import Finding

__all__ = ["Index", "Source", "Summary", "find", "summarise"]


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


def summarise(source: Source, tree: ast.Module) -> Summary:
    """Take from a file what others need to know of it."""
    return summarise_classes(File(source, tree))


def find(source: Source, tree: ast.Module, index: Index) -> list[Finding]:
    """All findings of one file, by every rule, in the order of their places."""
    file = File(source, tree)
    found: list[Finding] = []
    for node in file.classes:
        if index.is_module(file.class_names[node]):
            model = ClassModel(file, index, node)
            for rule in OF_CLASSES:
                found.extend(rule(model))
    for check in OF_FILES:
        found.extend(check(file, index))
    unique = {(one.rule.code, one.span, one.name): one for one in found}
    return sorted(without_effects(unique.values()), key=lambda one: (one.span, one.rule.code))
