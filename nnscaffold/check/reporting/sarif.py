"""A report as SARIF 2.1.0 (OASIS), which code scanning and editors read."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nnscaffold.check.documentation import section, without_links
from nnscaffold.check.identity import identify
from nnscaffold.check.reporting.repository import in_repository
from nnscaffold.check.selection import STATIC_RULES

if TYPE_CHECKING:
    from nnscaffold.check.finding import Finding, Fix, Span
    from nnscaffold.check.run import Report
    from nnscaffold.check.sources import Note
    from nnscaffold.contract.rules import Rule

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def render(report: Report, version: str) -> str:
    """All findings and notes as one run of the tool.

    Args:
        report: The report.
        version: The tool's.
    """
    seen: Counter[str] = Counter()
    results = []
    for finding in report.findings:
        fingerprint = identify(finding, report.lines).fingerprint()
        seen[fingerprint] += 1
        results.append(_result(finding, f"{fingerprint}:{seen[fingerprint]}"))
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "nnscaffold",
                "version": version,
                "rules": [_rule(rule) for rule in STATIC_RULES.values()],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [_notification(note) for note in report.notes],
            }
        ],
        "results": results,
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2)


def _rule(rule: Rule) -> dict[str, Any]:
    text = without_links(section(rule.code))
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.name.replace("-", " ")},
        "fullDescription": {"text": rule.fix},
        "help": {"text": text or rule.fix, "markdown": text or rule.fix},
        "defaultConfiguration": {"level": rule.severity},
    }


def _result(finding: Finding, fingerprint: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule.code,
        "ruleIndex": list(STATIC_RULES).index(finding.rule.code),
        "level": finding.rule.severity,
        "message": {"text": f"{finding.message}."},
        "locations": [_location(finding.path, finding.span)],
        "partialFingerprints": {"nnscaffold/v1": fingerprint},
    }
    if finding.name:
        result["locations"][0]["logicalLocations"] = [{"fullyQualifiedName": finding.name}]
    if finding.fix:
        result["fixes"] = [_fix(finding.path, finding.fix)]
    return result


def _fix(path: str, fix: Fix) -> dict[str, Any]:
    replacements = [
        {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}}
        for edit in fix.edits
    ]
    change = {"artifactLocation": _artifact(path), "replacements": replacements}
    return {"description": {"text": f"{fix.summary}."}, "artifactChanges": [change]}


def _location(path: str, span: Span | None) -> dict[str, Any]:
    region = {"region": _region(span)} if span else {}
    return {"physicalLocation": {"artifactLocation": _artifact(path), **region}}


def _artifact(path: str) -> dict[str, str]:
    path = in_repository(path)
    # A name that is not valid text keeps its bytes.
    if os.path.isabs(path):
        return {"uri": f"file://{quote(os.fsencode(path))}"}
    return {"uri": quote(os.fsencode(Path(path).as_posix()))}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column + 1,
        "endLine": span.end_line,
        "endColumn": span.end_column + 1,
    }


def _notification(note: Note) -> dict[str, Any]:
    location = _location(note.path, None)
    if note.line is not None:
        location["physicalLocation"]["region"] = {"startLine": note.line}
    return {"level": "note", "message": {"text": f"{note.message}."}, "locations": [location]}
