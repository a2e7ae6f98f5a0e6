"""Checks and fixes of a text alone, as often as there is something to fix."""

from __future__ import annotations

import ast

from nnscaffold.check.analysis import File, Index, Source, find, summarise
from nnscaffold.check.finding import Finding
from nnscaffold.check.fixing import MAX_ROUNDS, apply_fixes


def findings_of(text: str, path: str = "fixture.py") -> list[Finding]:
    """What every rule finds in a text that is checked alone."""
    file = File(Source(path, "fixture", text), ast.parse(text))
    return find(file, Index([summarise(file)]))


def rewritten(text: str) -> tuple[str, list[Finding]]:
    """A text with all fixes applied, and the findings that were fixed."""
    fixed: list[Finding] = []
    for _ in range(MAX_ROUNDS):
        fixable = [one for one in findings_of(text) if one.fix]
        if not fixable:
            return text, fixed
        text, done = apply_fixes(text, fixable)
        fixed += done
    raise AssertionError("the fixes go round in circles")
