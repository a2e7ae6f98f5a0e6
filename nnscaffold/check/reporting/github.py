"""A report as workflow commands, which GitHub Actions shows beside the lines of a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.run import Report
    from nnscaffold.check.sources import Note


def render(report: Report) -> str:
    """All findings and notes, a line each; empty where there are none."""
    return "\n".join(
        [*(_finding(each) for each in report.findings), *(_note(each) for each in report.notes)]
    )


def _finding(finding: Finding) -> str:
    span, rule = finding.span, finding.rule
    properties: dict[str, str | int] = {
        "file": finding.path,
        "line": span.line,
        "endLine": span.end_line,
    }

    if span.line == span.end_line:  # GitHub takes columns of one line only
        properties |= {"col": span.column + 1, "endColumn": span.end_column + 1}
    properties["title"] = rule.title
    return _command(rule.severity, properties, f"{finding.message}. {rule.fix}")


def _note(note: Note) -> str:
    properties: dict[str, str | int] = {"file": note.path, "title": "nnscaffold"}
    if note.line is not None:
        properties["line"] = note.line
    return _command("notice", properties, note.message)


def _command(name: str, properties: dict[str, str | int], message: str) -> str:
    fields = ",".join(f"{key}={_escape_property(str(each))}" for key, each in properties.items())
    return f"::{name} {fields}::{_escape(message)}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
