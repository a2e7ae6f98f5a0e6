"""`nnscaffold new project`: a repository."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scaffolder.cli.options import DryRun, Json, NoColor, Quiet
from scaffolder.cli.output import Output, may_ask
from scaffolder.errors import BadInput

if TYPE_CHECKING:
    from scaffolder.create import NewProject


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
        typer.Option(metavar="VERSION", help="The template's tag; else its latest release."),
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
    ask = not defaults and may_ask(output)
    # Copier asks on the terminal: nothing else may move on it meanwhile.
    with output.progress("Rendering the repository", shown=not ask):
        from scaffolder.create import create_project

        project = create_project(
            path,
            answers,
            source=template,
            version=ref,
            ask=ask,
            commit=not no_git,
            dry_run=dry_run,
        )
    version = project.answers["_commit"]
    done = "Would make" if dry_run else "Made"
    output.title(f"{done} {path} from the template at {version}: {len(project.files)} files")
    if dry_run:
        output.tree((name, "") for name in project.files)
        for name, text in project.files.items():
            output.diff(name, None, text)
    else:
        output.next_steps(_next_steps(path, project))
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


def _next_steps(path: Path, project: NewProject) -> list[tuple[str, str]]:
    folder = os.path.normpath(path)
    folder = f"./{folder}" if folder.startswith("-") else folder
    package = project.answers.get("package")
    if package is None:  # a team's own template: see its README
        return []
    return [
        (f"cd {shlex.quote(folder)}", ""),
        ("python -m venv .venv && . .venv/bin/activate", ""),
        ("pip install -e '.[dev]'", "the README says how to choose CPU or CUDA"),
        ('pytest -m "not slow"', "its tests, with the module contract"),
        (f"python -m {package}.train", "train the model"),
        ("nnscaffold new layer NAME", "add a module; see `nnscaffold kinds`"),
    ]


def _parse_answers(data: list[str]) -> dict[str, str]:
    answers: dict[str, str] = {}
    for text in data:
        key, equals, value = text.partition("=")
        if not equals or not key or key.startswith("_"):
            raise BadInput(
                "answer-malformed",
                f"'{text}' is not an answer.",
                "Write -d KEY=VALUE, such as -d package=digits.",
            )
        if key == "modules":
            raise BadInput(
                "answer-malformed",
                "The list of modules cannot be given as an answer.",
                "Create the repository, then add to it with `nnscaffold new layer`.",
            )
        if key in answers:
            raise BadInput(
                "answer-twice", f"'{key}' is answered twice.", "Leave one of the answers out."
            )
        answers[key] = value
    return answers
