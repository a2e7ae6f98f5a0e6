"""`nnscaffold doctor`: what the machine has, and what is missing."""

from __future__ import annotations

from pathlib import Path

import typer

from scaffolder.cli.options import Json, NoColor, Quiet
from scaffolder.cli.output import GREEN, RED, YELLOW, Output, json_hint

_STYLES = {"ok": GREEN, "missing": YELLOW, "problem": RED}


def doctor(json: Json = False, quiet: Quiet = False, no_color: NoColor = False) -> None:
    """Report which of the tools that a repository can use this machine has.

    Shows the command that installs what is missing. Changes nothing. Exits with 1 if there is a
    problem: no git, a torch that does not fit the driver, or a broken environment.
    """
    from scaffolder.doctor.examination import examine

    output = Output(json, quiet, no_color)
    with output.progress("Checking the machine", shown=True):
        findings = examine(Path.cwd())
    is_ok = all(finding.state != "problem" for finding in findings)
    described = [{**each._asdict(), **json_hint(each.hint)} for each in findings]
    output.result("doctor", {"findings": described}, ok=is_ok)
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        output.entry(
            finding.state.ljust(7), _STYLES[finding.state], finding.name.ljust(width), finding.found
        )
        if finding.state != "ok":
            margin = " " * (7 + 2 + width + 2)
            output.line(f"  {margin}for {finding.purpose}")
            output.line(f"  {margin}→ {finding.hint}")
    if not is_ok:
        raise typer.Exit(1)
