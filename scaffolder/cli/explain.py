"""`nnscaffold explain`: what a rule of the module contract means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from scaffolder.cli.options import Json, NoColor, Quiet
from scaffolder.cli.output import BOLD, DIM, RED, YELLOW, Output
from scaffolder.errors import BadInput

if TYPE_CHECKING:
    from nnscaffold.contract.rules import Rule

_STYLES = {"error": RED, "warning": YELLOW}


def _complete(incomplete: str) -> list[tuple[str, str]]:
    from nnscaffold.check.documentation import ALL_RULES

    start = incomplete.upper()
    return [(rule.code, rule.name) for rule in ALL_RULES.values() if rule.code.startswith(start)]


def explain(
    rule: Annotated[
        str | None,
        typer.Argument(
            metavar="[RULE]",
            help="Its code or name; all rules are listed if there is none.",
            show_default=False,
            autocompletion=_complete,
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Explain a rule of the module contract: what it finds, why that is bad, what to do instead."""
    from nnscaffold.check import documentation
    from nnscaffold.check.errors import CheckError

    output = Output(json, quiet, no_color)
    if rule is None:
        _list_rules(output, list(documentation.ALL_RULES.values()))
        return
    try:
        found = documentation.find_rule(rule)
    except CheckError as error:
        raise BadInput(error.code, error.message, error.hint) from error
    text = documentation.without_links(documentation.section(found.code))
    output.result("explain", {**_describe(found), "documentation": text})
    output.parts((found.title, BOLD), (f"  {found.severity}", _STYLES[found.severity]))
    output.line(f"{_properties(found)}\n", DIM)
    for line in (text or found.fix).splitlines():
        output.line(line, BOLD if line.startswith("**") else "")


def _list_rules(output: Output, rules: list[Rule]) -> None:
    from nnscaffold.check.documentation import found_by

    output.result("explain", {"rules": [_describe(each) for each in rules]})
    codes = max(len(each.code) for each in rules)
    names = max(len(each.name) for each in rules)
    for each in rules:
        output.entry(
            each.code.ljust(codes),
            _STYLES[each.severity],
            each.name.ljust(names),
            each.severity.ljust(len("warning")),
            found_by(each).ljust(len("check, tests")),
            "--fix" if each.fixable else "",
        )


def _properties(rule: Rule) -> str:
    from nnscaffold.check.documentation import found_by, is_on

    properties = [f"Found by: {found_by(rule)}"]
    if rule.static and not is_on(rule):
        properties.append("off by default")
    if rule.fixable:
        properties.append("`--fix` can rewrite it")
    return " · ".join(properties)


def _describe(rule: Rule) -> dict[str, Any]:
    from nnscaffold.check.documentation import is_on

    return {
        "code": rule.code,
        "name": rule.name,
        "severity": rule.severity,
        "static": rule.static,
        "runtime": rule.runtime,
        "fixable": rule.fixable,
        "default": is_on(rule),
        "fix": rule.fix,
    }
