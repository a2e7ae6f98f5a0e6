"""How results and errors are printed: for people, or as JSON for programs."""

from __future__ import annotations

import difflib
import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scaffolder.errors import ScaffoldError

SCHEMA = 1
_GREEN, _RED, _CYAN, _BOLD, _DIM = "32", "31", "36", "1", "2"


class Output(NamedTuple):
    """Where and how a command prints.

    Attributes:
        as_json: One JSON document on standard output instead of text.
        quiet: No text at all but errors.
        plain: No colours.
    """

    as_json: bool = False
    quiet: bool = False
    plain: bool = False

    def result(self, command: str, result: Mapping[str, Any]) -> None:
        """Print a result for programs, where that is what was asked for."""
        if self.as_json:
            _print_json({"schema": SCHEMA, "command": command, "ok": True, "result": result})

    def line(self, text: str = "", style: str = "") -> None:
        """Print a line for people."""
        if not (self.as_json or self.quiet):
            _write(sys.stdout, self._styled(text, style, sys.stdout))

    def title(self, text: str) -> None:
        """Print what was done."""
        self.line(text, _BOLD)

    def next_steps(self, commands: Iterable[tuple[str, str]]) -> None:
        """Print what to do next: commands, each with what it is for."""
        steps = list(commands)
        width = max(len(command) for command, _ in steps)
        self.line("\nNext:")
        for command, purpose in steps:
            shown = self._styled(command.ljust(width), _CYAN, sys.stdout)
            self.line(f"  {shown}  {purpose}".rstrip())

    def tree(self, files: Iterable[tuple[str, str]]) -> None:
        """Print files as a tree; each with a remark such as `new`."""
        shown: list[str] = []
        for name, remark in sorted(files, key=lambda file: file[0].split("/")):
            parts = name.split("/")
            for depth in range(1, len(parts)):
                folder = "/".join(parts[:depth])
                if folder not in shown:
                    shown.append(folder)
                    self.line(f"  {'  ' * (depth - 1)}{parts[depth - 1]}/")
            note = f"  {self._styled(remark, _DIM, sys.stdout)}" if remark else ""
            self.line(f"  {'  ' * (len(parts) - 1)}{parts[-1]}{note}")

    def diff(self, name: str, before: str | None, after: str) -> None:
        """Print what changes in a file, as git would."""
        old = [] if before is None else before.splitlines()
        source = "/dev/null" if before is None else f"a/{name}"
        for line in difflib.unified_diff(old, after.splitlines(), source, f"b/{name}", lineterm=""):
            colour = {"+": _GREEN, "-": _RED, "@": _CYAN}.get(line[:1], "")
            self.line(line, colour)

    def error(self, error: ScaffoldError) -> None:
        """Print an error: on standard error for people, on standard output for programs."""
        if self.as_json:
            fields = {"code": error.code, "message": error.message, "way_out": error.way_out}
            _print_json({"schema": SCHEMA, "ok": False, "error": fields})
        else:
            label = self._styled("Error:", _RED, sys.stderr)
            _write(sys.stderr, f"{label} {error.message} {error.way_out}")

    @contextmanager
    def progress(self, text: str, *, shown: bool) -> Iterator[None]:
        """Show on a terminal that something is under way."""
        if not shown or self.as_json or self.quiet or not sys.stderr.isatty():
            yield
            return
        from rich.console import Console

        console = Console(stderr=True, no_color=self._without_colour(sys.stderr))
        with console.status(text):
            yield

    def _styled(self, text: str, style: str, stream: Any) -> str:
        if not style or not text or self._without_colour(stream):
            return text
        return f"\033[{style}m{text}\033[0m"

    def _without_colour(self, stream: Any) -> bool:
        return self.plain or bool(os.environ.get("NO_COLOR")) or not stream.isatty()


def may_ask(output: Output) -> bool:
    """Whether there is a person on a terminal who expects questions."""
    for_people = not (output.as_json or output.quiet)
    return for_people and sys.stdin.isatty() and sys.stdout.isatty()


def _print_json(document: Mapping[str, Any]) -> None:
    _write(sys.stdout, json.dumps(document, indent=2))


def _write(stream: Any, text: str) -> None:
    # A file's name may be no text at all; it is shown escaped rather than not.
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
