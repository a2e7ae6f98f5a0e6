"""A report for people: each finding with its line of source, and a summary."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.run import Report

# A line of text: its parts, each with a style: `path`, `error`, `warning`, `note`, `dim` or none.
Line = tuple[tuple[str, str], ...]

_WIDTH = 110
_BEFORE = 40  # characters of a very long line that are shown before the place
_WIDE = ("W", "F")


def finding_lines(report: Report) -> Iterable[Line]:
    """All findings and notes of a report."""
    for finding in report.findings:
        place = f"{finding.path}:{finding.span.line}:{finding.span.column + 1}:"
        remark = "  [fixable with --fix]" if finding.fix else ""
        code = finding.rule.code
        yield (
            (place, "path"),
            (f" {code}", finding.rule.severity),
            (f" {finding.message}", ""),
            (remark, "dim"),
        )
        source = report.lines.get((finding.path, finding.span.line), "")
        if source.strip():
            yield from _excerpt(finding, source)
    for note in report.notes:
        place = note.path if note.line is None else f"{note.path}:{note.line}"
        yield ((f"{place}:", "path"), (" note", "note"), (f" {note.message}", ""))


def _excerpt(finding: Finding, source: str) -> Iterable[Line]:
    span = finding.span
    end = span.end_column if span.end_line == span.line else len(source.rstrip())
    margin = len(source) - len(source.lstrip())
    start = max(span.column - _BEFORE, 0) if len(source) > _WIDTH else margin
    start = min(start, span.column)
    shown = source[start : start + _WIDTH].rstrip()
    before = _blank(source[start : span.column])
    length = max(_columns(source[span.column : min(end, start + _WIDTH)]), 1)
    yield ((f"    {shown}", ""),)
    yield ((f"    {before}", ""), ("^" + "~" * (length - 1), finding.rule.severity))


def _blank(text: str) -> str:
    """Blanks that are as wide as a text."""
    return "".join("\t" if each == "\t" else " " * _columns(each) for each in text)


def _columns(text: str) -> int:
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in _WIDE)
        for each in text
    )


def summary(report: Report) -> str:
    """One line that says how many findings there are, and how many `--fix` clears."""
    files = count(len(report.files), "file")
    if not report.findings:
        return f"No findings in {files}."
    among = len({finding.path for finding in report.findings})
    fixable = sum(finding.fix is not None for finding in report.findings)
    found = f"Found {count_findings(report.findings)} in {among} of {files}"
    return f"{found}; {fixable} fixable with `--fix`." if fixable else f"{found}."


def advice(report: Report) -> str:
    """Where it stands what to do about a finding that nothing rewrites; empty without one."""
    left = next((one.rule.code for one in report.findings if one.fix is None), "")
    return f"`nnscaffold explain {left}` shows what to write instead." if left else ""


def count_findings(findings: Sequence[Finding]) -> str:
    """How many errors and warnings there are, in words."""
    counts = Counter(finding.rule.severity for finding in findings)
    parts = [count(counts[each], each) for each in ("error", "warning") if counts[each]]
    return " and ".join(parts) or "nothing"


def count(number: int, noun: str) -> str:
    """A number of things, in words."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def statistics(report: Report) -> Iterable[Line]:
    """How often each rule is broken, the most frequent first."""
    counts = Counter(each.rule for each in report.findings)
    for rule, number in sorted(counts.items(), key=lambda item: (-item[1], item[0].code)):
        yield ((f"{number:>6} ", ""), (rule.title, rule.severity))


def render(report: Report) -> str:
    """All of it as plain text."""
    lines = ["".join(text for text, _ in line) for line in finding_lines(report)]
    return "\n".join([*lines, summary(report)])
