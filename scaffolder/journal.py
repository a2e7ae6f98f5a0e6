"""A change to several files of a repository: all of it or nothing, whatever kills the command.

New texts, and copies of what they replace, are first written to a folder of their own; then a list
of them, the journal; then each new text is renamed to its path. Without a journal nothing was
touched. With one, everything can be undone: by the command itself if it fails or is interrupted,
by the next one if it was killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from scaffolder.errors import BadInput, MachineFailure
from scaffolder.lock import Busy, locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_JOURNAL = "journal.json"
_TIMEOUT_SECONDS = 30.0


class Change(NamedTuple):
    """A file's text before (None where there is no file) and after."""

    path: PurePosixPath
    before: str | None
    after: str


def path_for(root: Path, path: PurePosixPath) -> Path:
    """Where a file of a repository lies, if it may be written.

    Templates, answers and journals can come from a stranger: none may lead out of the repository,
    not by a link either, nor into git's own folder, whose settings name programs to run.

    Raises:
        BadInput: It may not.
    """
    full = root / path
    is_git = any(part.lower() == ".git" for part in path.parts)
    outside = ".." in path.parts or not full.parent.resolve().is_relative_to(root.resolve())
    if is_git or outside or full.is_symlink():
        reason = "into git's own folder" if is_git else "outside the repository, or over a link"
        raise BadInput(
            "place-refused",
            f"{full} would be written {reason}.",
            "Remove the link, or use a template that you trust.",
        )
    return full


@contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Hold a repository for one command, and first undo what a killed one left.

    Raises:
        MachineFailure: Another command holds it for too long, or the
            repository cannot be written.
        BadInput: What a killed command left cannot be undone.
    """
    try:
        with locked(root, timeout=_TIMEOUT_SECONDS):
            _undo(root, _folder(root))
            yield
    except Busy:
        raise MachineFailure(
            "repository-busy",
            f"Another nnscaffold command has been at work in {root} for "
            f"{_TIMEOUT_SECONDS:.0f} seconds.",
            "Wait for it, or stop it, then run the command again.",
        ) from None
    except OSError as error:
        raise _not_written(root, error) from error


def apply(root: Path, changes: Sequence[Change]) -> None:
    """Write the changes, in their order; call it inside `exclusive`.

    Raises:
        MachineFailure: A file cannot be written; everything is as it was.
    """
    folder = _folder(root)
    try:
        try:
            _prepare(folder, root, changes)
            for number, change in enumerate(changes):
                path = path_for(root, change.path)
                path.parent.mkdir(parents=True, exist_ok=True)
                (folder / f"{number}.after").replace(path)
        except BaseException:
            # If this is interrupted, too, the journal stays, and the next command undoes the rest.
            _undo(root, folder)
            raise
        _discard(folder)
    except OSError as error:
        raise _not_written(root, error) from error


def _folder(root: Path) -> Path:
    """Where a repository's journal lies: where git keeps its own, out of reach of a commit."""
    git = root / ".git"
    if git.is_dir() and not git.is_symlink():
        return git / "nnscaffold-journal"
    return root / ".nnscaffold-journal"


def _prepare(folder: Path, root: Path, changes: Sequence[Change]) -> None:
    """Write all that needs room on the disk, for doing and for undoing, before anything changes."""
    folder.mkdir()
    _write(folder / ".gitignore", "*\n")
    entries = []
    for number, change in enumerate(changes):
        after, path = folder / f"{number}.after", root / change.path
        _write(after, change.after)
        if change.before is not None:
            shutil.copymode(path, after)
            shutil.copy2(path, folder / f"{number}.before")
        new = change.before is None
        entries.append({"path": str(change.path), "new": new, "after": _digest(after)})
    _write(folder / "unfinished", json.dumps(entries))
    (folder / "unfinished").replace(folder / _JOURNAL)


def _undo(root: Path, folder: Path) -> None:
    """Bring back the files as they were before a change; can be repeated if it is interrupted.

    By renames alone: they need no room on a full disk, and a kill can fall between them.
    """
    entries = [
        (path_for(root, PurePosixPath(path)), new, folder / f"{number}.before", after)
        for number, (path, new, after) in enumerate(_read_journal(folder))
    ]
    for path, new, before, after in entries:
        known = [after, _digest(before)] if before.exists() else [after] if new else None
        if known and path.is_file() and _digest(path) not in known:
            raise BadInput(
                "interrupted-change",
                f"A command was killed while it changed {path}, which was edited since.",
                f"Look at {folder} for what you need of it, then remove that folder.",
            )
    for path, new, before, _ in reversed(entries):
        if before.exists():
            before.replace(path)
        elif new:
            if path.is_file():
                path.unlink()
            for parent in path.relative_to(root).parents[:-1]:
                with suppress(OSError):  # it is not empty, or not there yet
                    (root / parent).rmdir()
    _discard(folder)


def _read_journal(folder: Path) -> list[tuple[str, bool, str]]:
    """The journal's entries; none where there is no journal, and so nothing was touched."""
    try:
        entries = json.loads((folder / _JOURNAL).read_text(encoding="utf-8"))
        return [(entry["path"], entry["new"], entry["after"]) for entry in entries]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            "interrupted-change",
            f"{folder} holds a journal that nnscaffold did not write.",
            f"Remove {folder}.",
        ) from error


def _discard(folder: Path) -> None:
    """Remove the journal, after which there is nothing to undo, and then the rest."""
    (folder / _JOURNAL).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())  # some disks say only here that they are full


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _not_written(root: Path, error: OSError) -> MachineFailure:
    return MachineFailure(
        "write-failed",
        f"The repository {root} cannot be written: {error.strerror or error}.",
        "Free some space or make it writable, then run the command again.",
    )
