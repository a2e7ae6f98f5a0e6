"""How results and errors are printed: for people, or as JSON for programs."""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from scaffolder.errors import ScaffoldError

SCHEMA = 1


class OutputFailed(Exception):
    """The command did its work, but its result could not be printed."""


GREEN, RED, YELLOW, _CYAN, BOLD, DIM = "32", "31", "33", "36", "1", "2"
_PATIENCE_SECONDS = 1.0
_REFRESH_SECONDS = 0.1


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

    def result(self, command: str, result: Mapping[str, Any], *, ok: bool = True) -> None:
        """Print a result for programs, if `--json` was given.

        Args:
            command: The command's name.
            result: What it came to.
            ok: Whether the exit code is 0. It is 1 where something is wrong with what the command
                looked at.
        """
        if self.as_json:
            _print_json({"schema": SCHEMA, "command": command, "ok": ok, "result": result})

    def line(self, text: str = "", style: str = "") -> None:
        """Print a line for people."""
        self._line((text, style))

    def document(self, text: str) -> None:
        """Print a result in a format for programs, whatever else is wanted; nothing if empty."""
        if text:
            _write(sys.stdout, text)

    def parts(self, *parts: tuple[str, str]) -> None:
        """Print a line for people, each part in a style of its own."""
        self._line(*parts)

    def title(self, text: str) -> None:
        """Print what was done."""
        self.line(text, BOLD)

    def entry(self, remark: str, style: str, *columns: str) -> None:
        """Print a line of a list, which begins with a coloured remark."""
        self._line(("  ", ""), (remark, style), ("  " + "  ".join(columns), ""))

    def next_steps(self, commands: Iterable[tuple[str, str]]) -> None:
        """Print what to do next: commands, each with what it is for."""
        steps = list(commands)
        if not steps:
            return
        width = max(len(command) for command, _ in steps)
        self.line("\nNext:")
        for command, purpose in steps:
            self._line(
                ("  ", ""),
                (command.ljust(width) if purpose else command, _CYAN),
                (f"  {purpose}" if purpose else "", ""),
            )

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
            note = f"  {remark}" if remark else ""
            self._line((f"  {'  ' * (len(parts) - 1)}{parts[-1]}", ""), (note, DIM))

    def diff(self, name: str, before: str | None, after: str) -> None:
        """Print what changes in a file, as git would."""
        if "\0" in after:
            self.line(f"Binary file b/{name}")
            return
        old = [] if before is None else before.splitlines()
        source = "/dev/null" if before is None else f"a/{name}"
        for line in difflib.unified_diff(old, after.splitlines(), source, f"b/{name}", lineterm=""):
            self._diff_line(line)

    def patch(self, text: str) -> None:
        """Print a difference that is made already; byte for byte where a program may apply it."""
        if not (self.as_json or self.quiet or _is_terminal(sys.stdout)):
            _write(sys.stdout, text.removesuffix("\n"))
            return
        for line in text.removesuffix("\n").split("\n"):
            self._diff_line(line)

    def _diff_line(self, line: str) -> None:
        self.line(line, {"+": GREEN, "-": RED, "@": _CYAN}.get(line[:1], ""))

    def error(self, error: ScaffoldError) -> None:
        """Print an error: on standard error for people, on standard output for programs."""
        if self.as_json:
            fields = {"code": error.code, "message": error.message, **json_hint(error.hint)}
            _print_json({"schema": SCHEMA, "ok": False, "error": fields})
        else:
            label = self._styled("Error:", RED, sys.stderr)
            _write(sys.stderr, f"{label} {_escaped(error.message)} {_escaped(error.hint)}")

    @contextmanager
    def progress(self, text: str, *, shown: bool) -> Iterator[None]:
        """Show on a terminal that something is running."""
        if not shown or self.as_json or self.quiet or not _is_terminal(sys.stderr):
            yield
            return
        from rich.console import Console

        console = Console(stderr=True, no_color=self._without_colour(sys.stderr))
        with console.status(text):
            yield

    @contextmanager
    def counter(self, text: str) -> Iterator[Callable[[int, int], None] | None]:
        """Show on a terminal how far something is, once it has taken a second."""
        stream = sys.stderr
        if self.as_json or self.quiet or not _is_terminal(stream):
            yield None
            return
        due = time.monotonic() + _PATIENCE_SECONDS
        shown = False

        def count(done: int, of: int) -> None:
            nonlocal due, shown
            now = time.monotonic()
            if now >= due:
                due, shown = now + _REFRESH_SECONDS, True
                stream.write(f"\r{text}: {100 * done // max(of, 1)} %")
                stream.flush()

        try:
            yield count
        finally:
            if shown:
                stream.write("\r\033[K")
                stream.flush()

    def _line(self, *parts: tuple[str, str]) -> None:
        if not (self.as_json or self.quiet):
            styled = (self._styled(_escaped(text), style, sys.stdout) for text, style in parts)
            _write(sys.stdout, "".join(styled))

    def _styled(self, text: str, style: str, stream: TextIO | None) -> str:
        if not style or not text or self._without_colour(stream):
            return text
        return f"\033[{style}m{text}\033[0m"

    def _without_colour(self, stream: TextIO | None) -> bool:
        return self.plain or bool(os.environ.get("NO_COLOR")) or not _is_terminal(stream)


def json_hint(hint: str) -> dict[str, str]:
    """A hint in a JSON document: under its name, and under the one that schema 1 began with."""
    return {"hint": hint, "way_out": hint}


def may_ask(output: Output) -> bool:
    """Whether questions can be asked: somebody is at a terminal."""
    for_people = not (output.as_json or output.quiet)
    return for_people and _is_terminal(sys.stdin) and _is_terminal(sys.stdout)


def _print_json(document: Mapping[str, Any]) -> None:
    _write(sys.stdout, json.dumps(document, indent=2))


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()  # None: closed when we were started


def _escaped(text: str) -> str:
    """A text without control characters, which file names and templates can hold."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda c: repr(c[0])[1:-1], text)


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:
        return
    # A file's name may not be valid text; it is shown escaped.
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputFailed(error.strerror) from error
