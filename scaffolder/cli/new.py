"""`nnscaffold new`: a repository, or a module in one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scaffolder.cli.options import DryRun, Json, NoColor, Quiet
from scaffolder.cli.output import Output
from scaffolder.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from scaffolder.create import NewProject
    from scaffolder.kinds import Kind
    from scaffolder.spec import Role

DEFAULT_KINDS = {"layer": "linear", "model": "mlp"}

new = typer.Typer(name="new", help="Make a repository, or a module in one.", no_args_is_help=True)


@new.command("project")
def new_project(
    path: Annotated[Path, typer.Argument(help="The new repository's folder.", show_default=False)],
    data: Annotated[
        list[str] | None,
        typer.Option("--data", "-d", metavar="KEY=VALUE", help="Answer a question. Repeatable."),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(metavar="SRC", help="A template of your own: a git address or folder."),
    ] = None,
    ref: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="The template's tag; else its newest release."),
    ] = None,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="Ask nothing: take the default answers.")
    ] = False,
    no_git: Annotated[
        bool, typer.Option("--no-git", help="Make no git repository; updates need one.")
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Make a PyTorch repository whose modules keep the module contract, with tests that prove it.

    On a terminal it asks the template's questions; elsewhere it takes the default answers.
    """
    output = Output(json, quiet, no_color)
    answers = _parse_answers(data or [])
    ask = not (defaults or json or quiet) and _is_terminal()
    if ask:
        project = _create(path, answers, template, ref, True, not no_git, dry_run)
    else:
        with output.progress("Rendering the repository"):
            project = _create(path, answers, template, ref, False, not no_git, dry_run)
    version = project.answers["_commit"]
    done = "Would make" if dry_run else "Made"
    output.title(
        f"{done} {project.path} from the template at {version}: {len(project.files)} files"
    )
    if dry_run:
        output.tree((name, "") for name in project.files)
        for name, text in project.files.items():
            output.diff(name, None, text)
    else:
        package = project.answers.get("package")
        output.next_steps(
            [
                (f"cd {path}", ""),
                ("python -m venv .venv && . .venv/bin/activate", ""),
                ("pip install -e '.[dev]'", "the README tells how to choose CPU or CUDA"),
                ('pytest -m "not slow"', "the module contract, proved"),
                (f"python -m {package}.train", "learn real digits"),
                ("nnscaffold new layer NAME", "add a module; see `nnscaffold kinds`"),
            ]
        )
    output.result(
        "new project",
        {
            "path": str(project.path),
            "template": {"source": project.answers["_src_path"], "version": version},
            "files": sorted(project.files),
            "committed": project.committed and not dry_run,
            "dry_run": dry_run,
        },
    )


@new.command("layer")
def new_layer(
    name: Annotated[str, typer.Argument(help="The class, in CapWords.", show_default=False)],
    kind: Annotated[
        str | None, typer.Option("--kind", "-k", help="What it is; see `nnscaffold kinds`.")
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Add a layer, its tests and its line in the package to the repository you are in."""
    _new_module(name, "layer", kind, dry_run, Output(json, quiet, no_color))


@new.command("model")
def new_model(
    name: Annotated[str, typer.Argument(help="The class, in CapWords.", show_default=False)],
    kind: Annotated[
        str | None, typer.Option("--kind", "-k", help="What it is; see `nnscaffold kinds`.")
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Add a model, its tests and its line in the package to the repository you are in."""
    _new_module(name, "model", kind, dry_run, Output(json, quiet, no_color))


def _new_module(name: str, role: Role, kind: str | None, dry_run: bool, output: Output) -> None:
    from scaffolder.add import add_module

    choose: str | Callable[[list[Kind]], str] = kind or DEFAULT_KINDS[role]
    if kind is None and not (output.as_json or output.quiet) and _is_terminal():
        choose = lambda kinds: _ask_kind(role, kinds)  # noqa: E731
    addition = add_module(Path.cwd(), name, role, kind=choose, dry_run=dry_run)
    module, project = addition.module, addition.project
    done = "Would add" if dry_run else "Added"
    output.title(f"{done} the {role} {name} of kind {module.kind} to {project.root}")
    output.tree(
        (str(change.path), "new" if change.before is None else "one line more")
        for change in addition.changes
    )
    if dry_run:
        for change in addition.changes:
            output.diff(str(change.path), change.before, change.after)
    else:
        tests = [str(c.path) for c in addition.changes if c.path.parts[0] == "tests"]
        package = project.answers.get("package")
        output.next_steps(
            [
                *((f"pytest {test}", "its tests") for test in tests),
                (f"from {package}.{role}s import {name}", "how code gets it"),
            ]
        )
    output.result(
        f"new {role}",
        {
            "module": module.to_entry(),
            "root": str(project.root),
            "created": [str(c.path) for c in addition.changes if c.before is None],
            "changed": [str(c.path) for c in addition.changes if c.before is not None],
            "dry_run": dry_run,
        },
    )


def _create(
    path: Path,
    answers: dict[str, str],
    template: str | None,
    ref: str | None,
    ask: bool,
    commit: bool,
    dry_run: bool,
) -> NewProject:
    from scaffolder.create import create_project

    return create_project(
        path, answers, source=template, version=ref, ask=ask, commit=commit, dry_run=dry_run
    )


def _parse_answers(data: list[str]) -> dict[str, str]:
    answers: dict[str, str] = {}
    for text in data:
        key, equals, value = text.partition("=")
        if not equals or not key or key.startswith("_"):
            raise BadInput(
                "answer-malformed",
                f"'{text}' is no answer.",
                "Write -d KEY=VALUE, such as -d package=digits.",
            )
        if key in answers:
            raise BadInput(
                "answer-twice", f"'{key}' is answered twice.", "Leave one of the answers out."
            )
        answers[key] = value
    return answers


def _ask_kind(role: Role, kinds: list[Kind]) -> str:
    fitting = [kind for kind in kinds if kind.role == role]
    width = max(len(kind.name) for kind in fitting)
    for kind in fitting:
        typer.echo(f"  {kind.name.ljust(width)}  {kind.description}")
    chosen: str = typer.prompt("Kind", default=DEFAULT_KINDS[role])
    return chosen


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
