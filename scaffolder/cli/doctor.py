"""`nnscaffold doctor`: what the machine has, and what it lacks."""

from __future__ import annotations

from pathlib import Path

import typer

from scaffolder.cli.options import Json, NoColor, Quiet
from scaffolder.cli.output import GREEN, RED, YELLOW, Output

_STYLES = {"ok": GREEN, "missing": YELLOW, "problem": RED}


def doctor(json: Json = False, quiet: Quiet = False, no_color: NoColor = False) -> None:
    """Say what this machine has of all that a repository can use.

    What is missing comes with the command that installs it. Nothing is changed. Exit code 1: there
    is a problem, as git missing, a torch that does not fit the driver, or a broken environment.
    """
    from scaffolder.doctor.examination import examine

    output = Output(json, quiet, no_color)
    with output.progress("Looking at the machine", shown=True):
        findings = examine(Path.cwd())
    output.result("doctor", {"findings": [finding._asdict() for finding in findings]})
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        output.entry(
            finding.state.ljust(7), _STYLES[finding.state], finding.name.ljust(width), finding.found
        )
        if finding.state != "ok":
            margin = " " * (7 + 2 + width + 2)
            output.line(f"  {margin}for {finding.purpose}")
            output.line(f"  {margin}→ {finding.way_out}")
    if any(finding.state == "problem" for finding in findings):
        raise typer.Exit(1)
