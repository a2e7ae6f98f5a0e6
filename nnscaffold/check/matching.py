"""What the patterns of `match` bind."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.targets import spread
from nnscaffold.check.values import Value

if TYPE_CHECKING:
    from nnscaffold.check.frame import Frame


def bind_pattern(frame: Frame, pattern: ast.pattern, values: list[Value], node: ast.Match) -> None:
    """Bind the names of a pattern that matches.

    Args:
        frame: Where it matches.
        pattern: The pattern.
        values: What it is compared with.
        node: The statement.
    """
    if isinstance(pattern, ast.MatchValue):
        frame.values_of(pattern.value)
    elif isinstance(pattern, ast.MatchAs):
        if pattern.pattern is not None:
            bind_pattern(frame, pattern.pattern, values, node)
        if pattern.name is not None:
            frame.scope[pattern.name] = values
    elif isinstance(pattern, ast.MatchStar):
        if pattern.name is not None:
            frame.scope[pattern.name] = [Value("list", node, items=values)]
    elif isinstance(pattern, ast.MatchSequence):
        parts = spread(frame, values, len(pattern.patterns), node)
        for part, held in zip(pattern.patterns, parts, strict=True):
            bind_pattern(frame, part, held, node)
    elif isinstance(pattern, ast.MatchMapping):
        _bind_mapping(frame, pattern, values, node)
    elif isinstance(pattern, ast.MatchClass):
        frame.values_of(pattern.cls)
        for part in (*pattern.patterns, *pattern.kwd_patterns):
            bind_pattern(frame, part, [frame.derived("other", node, values)], node)
    elif isinstance(pattern, ast.MatchOr):
        _bind_any(frame, pattern, values, node)


def is_certain(case: ast.match_case) -> bool:
    """Whether a case matches whatever comes: `case _:`, or a name alone."""
    pattern = case.pattern
    return case.guard is None and isinstance(pattern, ast.MatchAs) and pattern.pattern is None


def _bind_mapping(
    frame: Frame, pattern: ast.MatchMapping, values: list[Value], node: ast.Match
) -> None:
    items = frame.items_of(values, node)
    for key, part in zip(pattern.keys, pattern.patterns, strict=True):
        frame.values_of(key)
        bind_pattern(frame, part, items, node)
    if pattern.rest is not None:
        frame.scope[pattern.rest] = [Value("dict", node, items=items)]


def _bind_any(frame: Frame, pattern: ast.MatchOr, values: list[Value], node: ast.Match) -> None:
    """Bind what any of the alternatives binds; all bind the same names."""
    before = frame.scope
    after = []
    for alternative in pattern.patterns:
        frame.scope = dict(before)
        bind_pattern(frame, alternative, values, node)
        after.append(frame.scope)
    frame.join(*after)
