"""`nnscaffold check`: where code breaks the module contract."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from scaffolder.cli.options import Json, NoColor, Quiet
from scaffolder.cli.output import BOLD, DIM, GREEN, RED, YELLOW, Output
from scaffolder.errors import BadInput, MachineFailure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nnscaffold.check.fixing import Outcome
    from nnscaffold.check.reporting.text import Line
    from nnscaffold.check.session import Request, Result

Format = Literal["text", "json", "github", "sarif"]
_STYLES = {"path": BOLD, "error": RED, "warning": YELLOW, "note": DIM, "dim": DIM}
_STDIN = "-"
_UNNAMED = "<stdin>"
_RULES = "CODE"


class PlainHelp(TyperCommand):
    """A command whose many options fit into 80 columns, and are shown without importing rich."""

    def __init__(self, name: str | None, **settings: Any) -> None:
        super().__init__(name, **{**settings, "rich_markup_mode": None})


def check(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Files and folders; the current one if there are none. `-`: standard input.",
            show_default=False,
        ),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Rewrite what can be rewritten.")] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what --fix would rewrite; write nothing.")
    ] = False,
    select: Annotated[
        list[str] | None,
        typer.Option(metavar=_RULES, help="Only these rules: NN103, NN1, a name, ALL. Repeatable."),
    ] = None,
    extend_select: Annotated[
        list[str] | None, typer.Option(metavar=_RULES, help="These rules, too.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar=_RULES, help="All rules but these.")
    ] = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="For people, programs, GitHub, code scanning.")
    ] = "text",
    statistics: Annotated[
        bool, typer.Option("--statistics", help="How often each rule is broken, not where.")
    ] = False,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Findings that are not reported.")
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all findings as a baseline.")
    ] = None,
    stdin_filename: Annotated[
        str, typer.Option(metavar="PATH", help="What standard input is called.")
    ] = _UNNAMED,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Neither read nor write it.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Find where modules break the contract, by reading the source; nothing is imported.

    Exits with 1 if there are findings. Settings are in the table tool.nnscaffold.check of
    pyproject.toml; `# noqa: NN103` silences a finding in its line; `nnscaffold explain NN103`
    explains one. In JSON `ok` is true where the exit code is 0.
    """
    output = Output(json or output_format == "json", quiet, no_color)
    if json and output_format not in ("text", "json"):
        raise BadInput("two-formats", f"--json and --format {output_format} differ.", "Give one.")
    if statistics and (json or output_format != "text"):
        given = "--json" if json else f"--format {output_format}"
        raise BadInput("statistics-and-format", f"{given} has no --statistics.", "Give one.")
    if write_baseline and baseline:
        raise BadInput(
            "two-baselines",
            "--write-baseline records all findings, those of --baseline too.",
            "Give one.",
        )
    if write_baseline and (fix or diff):
        given = "--fix" if fix else "--diff"
        raise BadInput(
            "baseline-and-fix",
            f"--write-baseline and {given} do not go together.",
            "Run one first.",
        )
    with _reported_errors():
        from nnscaffold.check.session import Request
        from nnscaffold.check.session import check as run

        names, texts = _sources(paths or ["."], stdin_filename, fix)
        request = Request(
            names,
            texts,
            select=tuple(select or ()),
            extend_select=tuple(extend_select or ()),
            ignore=tuple(ignore or ()),
            fix="show" if diff else "write" if fix else "no",
            baseline=baseline,
            write_baseline=write_baseline,
            use_cache=not (no_cache or texts),
        )
        with output.counter("Checking") as count:
            result = run(request, count)
        would_change = diff and result.outcome is not None and bool(result.outcome.changes)
        failed = bool(result.report.findings) or would_change
        if output.as_json:
            output.result("check", _document(result), ok=not failed)
        elif output_format in ("github", "sarif"):
            output.document(_for_programs(result, output_format))
        else:
            _print(output, request, result, statistics)
    if failed:
        raise typer.Exit(1)


@contextmanager
def _reported_errors() -> Iterator[None]:
    """Errors of the checker, which knows nothing of this command line, as errors of ours."""
    from nnscaffold.check.errors import CheckError, WriteFailed

    try:
        yield
    except CheckError as error:
        kind = MachineFailure if isinstance(error, WriteFailed) else BadInput
        raise kind(error.code, error.message, error.hint) from error


def _sources(
    paths: list[str], stdin_filename: str, fix: bool
) -> tuple[tuple[str, ...], dict[str, bytes]]:
    import os

    if "" in paths:
        raise BadInput("path-empty", "A path is empty.", "Check the variable that it comes from.")
    if _STDIN not in paths:
        if stdin_filename != _UNNAMED:
            raise BadInput("stdin-unused", "--stdin-filename is given without `-`.", "Add `-`.")
        return tuple(paths), {}
    if len(paths) > 1:
        raise BadInput("stdin-and-paths", "`-` stands alone.", "Give either `-` or paths.")
    if fix:
        raise BadInput("stdin-fixed", "Standard input cannot be rewritten.", "Use --diff.")
    name = os.path.normpath(stdin_filename)
    if os.path.isdir(name) or not stdin_filename:
        raise BadInput(
            "stdin-name", f"--stdin-filename {stdin_filename!r} is not a file.", "Name one."
        )
    if sys.stdin is None:
        raise BadInput("stdin-closed", "Standard input is closed.", "Give it a text, or a path.")
    return (name,), {name: sys.stdin.buffer.read()}


def _document(result: Result) -> dict[str, object]:
    from nnscaffold.check.reporting import document

    described = document.describe(result.report)
    described["baseline"] = {"outdated": result.outdated, "written": result.recorded}
    if result.outcome:
        described |= document.describe_fixes(result.outcome.fixed, result.outcome.changes)
    return described


def _for_programs(result: Result, name: str) -> str:
    from nnscaffold.check.reporting import github, sarif
    from scaffolder import __version__

    return (
        github.render(result.report)
        if name == "github"
        else sarif.render(result.report, __version__)
    )


def _print(output: Output, request: Request, result: Result, statistics: bool) -> None:
    from nnscaffold.check.printing import in_one_line
    from nnscaffold.check.reporting import text

    report, outcome = result.report, result.outcome
    if request.write_baseline:
        found = text.count(result.recorded or 0, "finding")
        output.title(f"Wrote {found} to {in_one_line(str(request.write_baseline))}.")
        return
    if outcome and request.fix == "show":
        _print_diff(output, outcome)
    show = text.statistics if statistics else text.finding_lines
    _print_lines(output, show(report))
    if report.findings or report.notes:
        output.line()
    if outcome:
        done = "Would fix" if request.fix == "show" else "Fixed"
        output.title(f"{done} {text.count_findings(outcome.fixed)}.")
        output.line(f"{'Then: ' if request.fix == 'show' else ''}{text.summary(report)}")
    else:
        output.line(text.summary(report), BOLD if report.findings else GREEN)
    if advice := text.advice(report):
        output.line(advice, DIM)
    if result.outdated:
        output.line(
            f"Fixed since the baseline was written: {result.outdated}. Write it again.", DIM
        )
    if outcome:
        _print_migration(output, outcome)


def _print_lines(output: Output, lines: Iterable[Line]) -> None:
    for line in lines:
        output.parts(*((part, _STYLES.get(style, "")) for part, style in line))


def _print_diff(output: Output, outcome: Outcome) -> None:
    from nnscaffold.check.reporting.document import diff

    for change in outcome.changes:
        output.patch(diff(change))


def _print_migration(output: Output, outcome: Outcome) -> None:
    from nnscaffold.check.migration import migration_code, new_keys
    from nnscaffold.check.printing import in_one_line

    added = new_keys(outcome.fixed)
    if not added:
        return
    output.line()
    output.title("State dicts have new keys, which older checkpoints lack:")
    for each in added:
        output.line(f"  {each.cls} ({in_one_line(each.path)}): {', '.join(each.keys)}")
    output.line("This completes an older one:\n")
    output.line(migration_code(added))
