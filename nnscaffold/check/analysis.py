"""From sources to findings, in two steps, so that each can be cached.

`summarise` takes from one file what others need to know of it; `Index` puts the summaries of a tree
together; `find` then looks at one file with the index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnscaffold.check.causes import without_effects
from nnscaffold.check.file import File, Source
from nnscaffold.check.index import Index, Summary, summarise
from nnscaffold.check.model import ClassModel
from nnscaffold.check.rules import OF_CLASSES, OF_FILES

if TYPE_CHECKING:
    from nnscaffold.check.finding import Finding

__all__ = ["File", "Index", "Source", "Summary", "find", "summarise"]


def find(file: File, index: Index) -> list[Finding]:
    """All findings of one file, by every rule, in the order of their places."""
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
