"""A report as data, for JSON. Lines and columns count from 1; an end is the first place after."""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING, Any

from nnscaffold.check.migration import migration_code, new_keys
from nnscaffold.check.sources import decode, split_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nnscaffold.check.finding import Finding, Fix, Span
    from nnscaffold.check.fixing import Change
    from nnscaffold.check.run import Report


def describe(report: Report) -> dict[str, Any]:
    """The findings and notes of a report."""
    return {
        "files": len(report.files),
        "findings": [describe_finding(each) for each in report.findings],
        "notes": [
            {"path": note.path, "line": note.line, "message": note.message} for note in report.notes
        ],
    }


def describe_finding(finding: Finding) -> dict[str, Any]:
    """One finding: its rule, its place, its fix."""
    rule = finding.rule
    return {
        "code": rule.code,
        "name": rule.name,
        "severity": rule.severity,
        "path": finding.path,
        **_place(finding.span),
        "subject": finding.name,
        "message": finding.message,
        "explanation": rule.fix,
        "documentation": f"nnscaffold explain {rule.code}",
        "fix": finding.fix and _describe_fix(finding.fix),
    }


def _describe_fix(fix: Fix) -> dict[str, Any]:
    return {
        "summary": fix.summary,
        "edits": [{**_place(edit.span), "text": edit.text} for edit in fix.edits],
        "new_keys": list(fix.new_keys),
    }


def _place(span: Span) -> dict[str, int]:
    return {
        "line": span.line,
        "column": span.column + 1,
        "end_line": span.end_line,
        "end_column": span.end_column + 1,
    }


def describe_fixes(fixed: Iterable[Finding], changes: Iterable[Change]) -> dict[str, Any]:
    """What `--fix` did, or would do: findings, files with their diffs, and keys of state dicts."""
    fixed = list(fixed)
    added = new_keys(fixed)
    return {
        "fixed": [describe_finding(each) for each in fixed],
        "changed": [{"path": each.path, "diff": diff(each)} for each in changes],
        "new_keys": [
            {
                "path": each.path,
                "class": each.cls,
                "keys": list(each.keys),
                "codes": list(each.codes),
            }
            for each in added
        ],
        "migration": migration_code(added),
    }


def diff(change: Change) -> str:
    """The change of a file as git would print it; ends of lines are those of the file."""
    before = split_lines(decode(change.before).text)
    after = split_lines(decode(change.after).text)
    name = change.path.lstrip("/")
    lines = difflib.unified_diff(before, after, _header(f"a/{name}"), _header(f"b/{name}"))
    return "".join(
        line if line.endswith(("\n", "\r")) else f"{line}\n\\ No newline at end of file\n"
        for line in lines
    )


def _header(name: str) -> str:
    """A file's name in a header; quoted as git does where it would be more than a line."""
    if name.isprintable() and not set(name) & {'"', "\\"}:
        return name
    shown = (
        chr(byte)
        if byte in range(ord(" "), ord("~") + 1) and byte not in b'"\\'
        else f"\\{byte:03o}"
        for byte in os.fsencode(name)
    )
    return f'"{"".join(shown)}"'
