"""`nnscaffold new layer` and `nnscaffold new model`: a module in a repository."""

from __future__ import annotations

import os
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scaffolder.cli.options import DryRun, Json, NoColor, Quiet
from scaffolder.cli.output import Output, may_ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from scaffolder.add import Addition
    from scaffolder.kinds import Kind
    from scaffolder.spec import Role

DEFAULT_KINDS = {"layer": "linear", "model": "mlp"}


def _complete(role: Role) -> Callable[[str], list[tuple[str, str]]]:
    """The shell's completion of a kind: the names that fit, each with its description."""

    def complete(incomplete: str) -> list[tuple[str, str]]:
        from scaffolder.add import known_kinds
        from scaffolder.errors import ScaffoldError

        try:
            kinds = known_kinds(Path.cwd())
        except (ScaffoldError, OSError):
            return []  # a shell has nowhere to show an error
        return [
            (kind.name, kind.description)
            for kind in kinds
            if kind.role == role and kind.name.startswith(incomplete)
        ]

    return complete


_KIND_HELP = "What it is; see `nnscaffold kinds`."
Name = Annotated[str, typer.Argument(help="The class, in CapWords.", show_default=False)]
LayerKind = Annotated[
    str | None,
    typer.Option("--kind", "-k", help=_KIND_HELP, autocompletion=_complete("layer")),
]
ModelKind = Annotated[
    str | None,
    typer.Option("--kind", "-k", help=_KIND_HELP, autocompletion=_complete("model")),
]


def new_layer(
    name: Name,
    kind: LayerKind = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Add a layer, its tests and its line in the package to the repository you are in."""
    _new_module(name, "layer", kind, dry_run, Output(json, quiet, no_color))


def new_model(
    name: Name,
    kind: ModelKind = None,
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
    if kind is None and may_ask(output):
        choose = partial(_ask_kind, role)
    addition = add_module(Path.cwd(), name, role, kind=choose, dry_run=dry_run)
    module, changes = addition.module, addition.changes
    done = "Would add" if dry_run else "Added"
    root = addition.project.root
    output.title(f"{done} the {role} {name} of kind {module.kind} to {root.name}")
    output.tree((str(c.path), "new" if c.before is None else "changed") for c in changes)
    if dry_run:
        for change in changes:
            output.diff(str(change.path), change.before, change.after)
    else:
        output.next_steps(_next_steps(addition))
    output.result(
        f"new {role}",
        {
            "module": module.to_entry(),
            "root": str(root),
            "created": [str(c.path) for c in changes if c.before is None],
            "changed": [str(c.path) for c in changes if c.before is not None],
            "dry_run": dry_run,
        },
    )


def _next_steps(addition: Addition) -> list[tuple[str, str]]:
    module, project = addition.module, addition.project
    tests = [
        os.path.relpath(project.root / change.path)
        for change in addition.changes
        if change.path.parts[0] == "tests"
    ]
    steps = [(f"pytest {shlex.quote(test)}", "its tests") for test in tests]
    if package := project.answers.get("package"):
        steps.append((f"from {package}.{module.role}s import {module.name}", "how to import it"))
    return steps


def _ask_kind(role: Role, kinds: list[Kind]) -> str:
    fitting = [kind for kind in kinds if kind.role == role]
    width = max((len(kind.name) for kind in fitting), default=0)
    for kind in fitting:
        typer.echo(f"  {kind.name.ljust(width)}  {kind.description}")
    chosen: str = typer.prompt("Kind", default=DEFAULT_KINDS[role])
    return chosen
