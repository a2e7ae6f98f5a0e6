"""From sources to findings, in two steps, so that each can be cached.

`summarise` takes from one file what others need to know of it; `Index` puts the summaries of a tree
together; `find` then looks at one file with the index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnscaffold.check.file import File
from nnscaffold.check.index import Index, Summary, summarise_classes
from nnscaffold.check.model import ClassModel
from nnscaffold.check.rules import (
    construction,
    containers,
    created_in_forward,
    data_write,
    devices,
    documentation_of_modules,
    evaluation,
    forward_calls,
    kept_state,
    keys,
    parameters,
    pickling,
    precision,
    repeated,
    shared,
    tensor_attribute,
    torchscript,
    unused,
)

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Iterator

    from nnscaffold.check.finding import Finding, Span

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


_OF_CLASSES: tuple[Callable[[ClassModel], Iterator[Finding]], ...] = (
    construction.find_missing,
    construction.find_late,
    containers.find_modules,
    containers.find_parameters,
    created_in_forward.find_parameters,
    created_in_forward.find_modules,
    parameters.find_non_leaf,
    parameters.find_unwritten,
    parameters.find_rebound,
    repeated.find,
    keys.find,
    shared.find,
    unused.find,
    tensor_attribute.find,
    kept_state.find_graphs,
    kept_state.find_rebound,
    kept_state.find_caches,
    kept_state.find_untracked,
    devices.find_literals,
    devices.find_factories,
    precision.find,
    forward_calls.find_mutated_inputs,
    forward_calls.find_ignored_modes,
    forward_calls.find_fetches,
    forward_calls.find_squeezes,
    forward_calls.find_direct_calls,
    pickling.find,
    documentation_of_modules.find_untyped,
    documentation_of_modules.find_undocumented,
)
_OF_FILES: tuple[Callable[[File, Index], Iterator[Finding]], ...] = (
    data_write.find_in_file,
    forward_calls.find_direct_calls_in_file,
    evaluation.find_in_file,
    torchscript.find_in_file,
)
# One breach gives one finding: where both of a pair stand on one line, the first is the cause.
_OVERRIDES = (
    ("NN101", "NN102"),
    ("NN106", "NN105"),
    ("NN105", "NN204"),
    ("NN107", "NN201"),
    ("NN202", "NN201"),
    ("NN206", "NN201"),
    ("NN105", "NN206"),
    ("NN202", "NN207"),
    ("NN402", "NN106"),
)
# The rules whose findings name an attribute.
_OF_ATTRIBUTES = frozenset({"NN107", "NN201", "NN202", "NN204", "NN206", "NN207"})


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
            for rule in _OF_CLASSES:
                found.extend(rule(model))
    for check in _OF_FILES:
        found.extend(check(file, index))
    unique = {(one.rule.code, one.span, one.name): one for one in found}
    return sorted(_causes(list(unique.values())), key=lambda one: (one.span, one.rule.code))


def _causes(found: list[Finding]) -> list[Finding]:
    """The findings without those that only repeat another one."""
    built = [one.span for one in found if one.rule.code == "NN106"]
    dropped = [
        one
        for one in found
        if one.rule.code == "NN402" and any(_encloses(span, one.span) for span in built)
    ]
    left = [one for one in found if one not in dropped]
    return [one for one in left if not any(_causes_other(cause, one) for cause in left)]


def _causes_other(cause: Finding, effect: Finding) -> bool:
    """Whether two findings are of one mistake, of which the first names the cause."""
    if (cause.rule.code, effect.rule.code) not in _OVERRIDES:
        return False
    if cause.name == effect.name:
        return cause.span.line == effect.span.line
    # One names the method and the other the attribute, of which a line may hold several.
    of_attributes = {cause.rule.code, effect.rule.code} <= _OF_ATTRIBUTES
    return cause.span.line == effect.span.line and not of_attributes


def _encloses(outer: Span, inner: Span) -> bool:
    """Whether a stretch of text is a part of another one, and not all of it."""
    begins = (outer.line, outer.column) <= (inner.line, inner.column)
    ends = (inner.end_line, inner.end_column) <= (outer.end_line, outer.end_column)
    return begins and ends and outer != inner
