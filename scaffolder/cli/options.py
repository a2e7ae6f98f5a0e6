"""The options that every command has."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON, for programs; ask nothing.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="Print without colours.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the files and the diff; write nothing.")
]
