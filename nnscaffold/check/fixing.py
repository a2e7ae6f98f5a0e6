"""Fixes, applied until none is left; files are written all together or not at all."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nnscaffold.check.errors import WriteFailed
from nnscaffold.check.finding import Edit, Finding, Span
from nnscaffold.check.run import Report
from nnscaffold.check.sources import Note, Unreadable, decode, parse, read_bytes, split_lines
from nnscaffold.check.writing import is_read_only, written_beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

# Fixes that overlap wait for the next round; what would go on for longer goes round in circles.
MAX_ROUNDS = 10


@dataclass(frozen=True)
class Change:
    """What fixes make of a file.

    Attributes:
        path: The file, as it is shown.
        before: Its bytes.
        after: What they become.
    """

    path: str
    before: bytes
    after: bytes


@dataclass(frozen=True)
class Outcome:
    """What fixing came to; nothing is written yet.

    Attributes:
        report: What is left.
        fixed: The findings that were fixed, as they were found; lines count in the text of their
            round.
        changes: The files that change.
    """

    report: Report
    fixed: tuple[Finding, ...]
    changes: tuple[Change, ...]


def fix(
    check: Callable[[Mapping[str, bytes]], Report],
    first: Report,
    read: Callable[[str], bytes] = read_bytes,
) -> Outcome:
    """Apply all fixes of a report, check again, and so on.

    Args:
        check: Check again, with these bytes instead of those of the files.
        first: The report to begin with.
        read: The bytes of a file, by its path as it is shown.
    """
    report = first
    before: dict[str, bytes] = {}
    after: dict[str, bytes] = {}
    fixed: list[Finding] = []
    dropped: dict[str, Note] = {}
    for _ in range(MAX_ROUNDS):
        any_fixed = False
        for path, findings in _by_path(report.findings).items():
            if path in dropped:
                continue
            try:
                data = after[path] if path in after else read(path)
                text = decode(data)
                result, applied = apply_fixes(text.text, findings)
                parse(result, path)
                encoded = result.encode(text.encoding)
            except (Unreadable, UnicodeError) as error:
                message = f"not fixed: the result would be {_reason(error)}"
                dropped[path] = Note(path, None, message)
                continue
            if applied and encoded != data:
                before.setdefault(path, data)
                after[path] = encoded
                fixed += applied
                any_fixed = True
        if not any_fixed:
            break
        report = check(after)
    changes = tuple(Change(path, before[path], after[path]) for path in after)
    return Outcome(replace(report, notes=(*report.notes, *dropped.values())), tuple(fixed), changes)


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, Unreadable) else f"not in its encoding: {error}"


def _by_path(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    grouped: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.fix is not None:
            grouped.setdefault(finding.path, []).append(finding)
    return grouped


def apply_fixes(text: str, findings: Sequence[Finding]) -> tuple[str, list[Finding]]:
    """A text with fixes applied, and the findings whose fixes were.

    Of two fixes that overlap, the first is made. An edit that several fixes share is made once.
    """
    chosen: dict[Edit, None] = {}
    applied = []
    for finding in findings:
        if finding.fix is None:
            continue
        new = [edit for edit in finding.fix.edits if edit not in chosen]
        if not any(_overlap(edit, other) for edit in new for other in chosen):
            chosen |= dict.fromkeys(new)
            applied.append(finding)
    return apply_edits(text, chosen), applied


def _overlap(one: Edit, other: Edit) -> bool:
    a, b = one.span, other.span
    if _start(a) == _start(b) and (_start(a) == _end(a)) == (_start(b) == _end(b)):
        return True  # two insertions at one place, too: which would come first?
    return _start(a) < _end(b) and _start(b) < _end(a)


def _start(span: Span) -> tuple[int, int]:
    return span.line, span.column


def _end(span: Span) -> tuple[int, int]:
    return span.end_line, span.end_column


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """A text with edits made that do not overlap; what they insert gets its line ends."""
    lines = split_lines(text)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    newline = _newline(lines)

    def offset(line: int, column: int) -> int:
        return min(starts[min(line, len(starts)) - 1] + column, len(text))

    parts = []
    position = 0
    for edit in sorted(edits, key=lambda each: (each.span, each.text)):
        start, end = offset(*_start(edit.span)), offset(*_end(edit.span))
        parts += [text[position:start], re.sub(r"\r\n|\r|\n", lambda _: newline, edit.text)]
        position = end
    return "".join([*parts, text[position:]])


def _newline(lines: Sequence[str]) -> str:
    ends = [re.search(r"\r\n|\r|\n|$", line) for line in lines]
    found = [end[0] for end in ends if end and end[0]]
    return max(set(found), key=found.count) if found else "\n"


def write_changes(changes: Sequence[Change]) -> None:
    """Write all files, or none: each is beside its place before the first is renamed.

    Raises:
        WriteFailed: A file is read-only, has changed since it was checked, or cannot be written.
            All of them are as they were.
    """
    targets = [(change, Path(os.path.realpath(change.path))) for change in changes]
    done: list[tuple[Change, Path]] = []
    path = Path()
    try:
        for change, path in targets:
            _expect_writable(change, path)
        with contextlib.ExitStack() as all_of_them:
            new = []
            for change, path in targets:
                new.append(all_of_them.enter_context(written_beside(path, change.after)))
            for (change, path), beside in zip(targets, new, strict=True):
                done.append((change, path))
                beside.replace(path)
    except BaseException as error:
        for change, place in done:
            with contextlib.suppress(OSError):
                if place.read_bytes() != change.before:
                    place.write_bytes(change.before)
        if isinstance(error, OSError):
            raise WriteFailed(
                "fix-unwritable",
                f"{path} cannot be written: {error.strerror}; no file was changed.",
                "Make it writable, or check without --fix.",
            ) from error
        raise


def _expect_writable(change: Change, path: Path) -> None:
    if is_read_only(path):
        raise WriteFailed(
            "fix-unwritable",
            f"{change.path} is read-only; no file was changed.",
            "Make it writable, or check without --fix.",
        )
    if path.read_bytes() != change.before:
        raise WriteFailed(
            "fix-outdated",
            f"{change.path} has changed since it was checked; no file was changed.",
            "Run the command again.",
        )
