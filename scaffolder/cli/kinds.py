"""`nnscaffold kinds`: what can be generated."""

from __future__ import annotations

from pathlib import Path

from scaffolder.cli.options import Json, NoColor, Quiet
from scaffolder.cli.output import Output
from scaffolder.errors import BadInput


def show_kinds(json: Json = False, quiet: Quiet = False, no_color: NoColor = False) -> None:
    """List the kinds of module that `new layer` and `new model` can make.

    Inside a repository they are those of its own template; elsewhere those that come with this
    tool.
    """
    from scaffolder.add import offered_kinds
    from scaffolder.checkout import template_checkout
    from scaffolder.kinds import read_kinds
    from scaffolder.store import SOURCE, offer

    try:
        kinds = offered_kinds(Path.cwd())
    except BadInput as error:
        if error.code != "not-a-repository":
            raise
        kinds = read_kinds(template_checkout(SOURCE, offer()))

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
