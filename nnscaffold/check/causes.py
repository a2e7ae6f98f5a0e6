"""One breach gives one finding: of those that one mistake causes, the one that names the cause.

Rules look for symptoms, and a mistake may have several. `self.scale = nn.Parameter(...)` in
`forward` makes a parameter there (NN105) and replaces one (NN204); the fix of the first is that of
the second. So that rules need not know of each other, each reports what it finds, and here the
effects are dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nnscaffold.check.finding import Finding, Span

# What each rule explains where both find something in one line.
_EFFECTS = {
    # Without the call, everything that the constructor registers comes "before" it.
    "NN101": {"NN102"},
    # A parameter made in `forward` replaces the one of the call before, and is kept for the next.
    "NN105": {"NN204", "NN206"},
    # A module built in `forward` brings its parameters.
    "NN106": {"NN105"},
    # What is computed from a parameter is a plain tensor on an attribute.
    "NN107": {"NN201"},
    # A tensor that `forward` keeps is one on a plain attribute; what grows is changed and read.
    "NN202": {"NN201", "NN207"},
    # The same without a graph.
    "NN206": {"NN201"},
    # A dropout that is built in `forward` may have state: its mode is what goes wrong first.
    "NN402": {"NN106"},
}
# The rules whose findings are named after an attribute (`Net.scale`), not after the method or
# class (`Net.forward`). Two of them in one line are of one mistake only if that is one attribute:
# `self.mask, self.scale = ...` holds two.
_NAME_ATTRIBUTES = frozenset({"NN107", "NN201", "NN202", "NN204", "NN206", "NN207"})


def without_effects(found: Iterable[Finding]) -> list[Finding]:
    """The findings without those that another one of them explains."""
    found = list(found)
    built = [one.span for one in found if one.rule.code == "NN106"]
    # The dropout inside a `Sequential` that is built in `forward` goes where that goes.
    left = [
        one
        for one in found
        if one.rule.code != "NN402" or not any(_encloses(span, one.span) for span in built)
    ]
    in_line: dict[int, list[Finding]] = {}
    for one in left:
        in_line.setdefault(one.span.line, []).append(one)
    return [
        one for one in left if not any(_explains(cause, one) for cause in in_line[one.span.line])
    ]


def _explains(cause: Finding, effect: Finding) -> bool:
    """Whether two findings in a line are of one mistake, of which the first names the cause."""
    if effect.rule.code not in _EFFECTS.get(cause.rule.code, ()):
        return False
    name_attributes = {cause.rule.code, effect.rule.code} <= _NAME_ATTRIBUTES
    return cause.name == effect.name or not name_attributes


def _encloses(outer: Span, inner: Span) -> bool:
    """Whether a stretch of text is a part of another one, and not all of it."""
    begins = (outer.line, outer.column) <= (inner.line, inner.column)
    ends = (inner.end_line, inner.end_column) <= (outer.end_line, outer.end_column)
    return begins and ends and outer != inner
