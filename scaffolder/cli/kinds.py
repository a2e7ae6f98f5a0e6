"""`nnscaffold kinds`: what can be generated."""

from __future__ import annotations

from pathlib import Path

from scaffolder.cli.options import Json, NoColor, Quiet
from scaffolder.cli.output import Output


def show_kinds(json: Json = False, quiet: Quiet = False, no_color: NoColor = False) -> None:
    """List the kinds of module that `new layer` and `new model` can make.

    Inside a repository they are those of its own template; elsewhere those that come with this
    tool.
    """
    from scaffolder.add import offered_kinds

    kinds = offered_kinds(Path.cwd())
    output = Output(json, quiet, no_color)
    output.result("kinds", {"kinds": [kind._asdict() for kind in kinds]})
    width = max((len(kind.name) for kind in kinds), default=0)
    for role in ("layer", "model"):
        output.title(f"nnscaffold new {role} NAME --kind …")
        for kind in kinds:
            if kind.role == role:
                output.line(f"  {kind.name.ljust(width)}  {kind.description}")
                output.line(f"  {' ' * width}  shows: {kind.shows}")
        if role == "layer":
            output.line()
