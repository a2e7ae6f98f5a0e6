"""A change to several files of a repository: all of it or nothing, whatever kills the command.

All new contents are first written to a folder of their own; then a list of them, the journal; then
each is renamed into its place. While there is no journal, nothing was touched; once there is one,
all that it needs is on the disk, so that the next command can finish what a killed one began.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from scaffolder.errors import BadInput, MachineFailure
from scaffolder.lock import Busy, locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_JOURNAL = "journal.json"
_PATIENCE_IN_SECONDS = 30.0


class Change(NamedTuple):
    """A file's text before (None where there is no file) and after."""

    path: PurePosixPath
    before: str | None
    after: str


def place_of(root: Path, path: PurePosixPath) -> Path:
    """Where a file of a repository lies, if it may be written.

    Templates, answers and journals can come from a stranger: none may lead out of the repository,
    not by a link either, nor into git's own folder, whose settings name programs to run.

    Raises:
        BadInput: It may not.
    """
    place = root / path
    is_git = any(part.lower() == ".git" for part in path.parts)
    outside = ".." in path.parts or not place.parent.resolve().is_relative_to(root.resolve())
    if is_git or outside or place.is_symlink():
        reason = "into git's own folder" if is_git else "outside the repository, or over a link"
        raise BadInput(
            "place-refused",
            f"{place} would be written {reason}.",
            "Put no links there, and use no template that you do not know.",
        )
    return place


@contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Hold a repository for one command, and first finish what a killed one left.

    Raises:
        MachineFailure: Another command holds it for longer than anyone would wait, or the
            repository cannot be written.
        BadInput: What a killed command left cannot be finished.
    """
    try:
        with locked(root, patience=_PATIENCE_IN_SECONDS):
            _finish(root)
            yield
    except Busy:
        raise MachineFailure(
            "repository-busy",
            f"Another nnscaffold command has been at work in {root} for "
            f"{_PATIENCE_IN_SECONDS:.0f} seconds.",
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
    made: list[Path] = []
    try:
        try:
            _stage(folder, root, changes)
            for number, change in enumerate(changes):
                place = place_of(root, change.path)
                made += _make_parents(place)
                (folder / str(number)).replace(place)
        except BaseException:
            # Where even this is cut short, the journal stays, and the next command goes forward.
            _put_back(root, folder, changes, made)
            _discard(folder)
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


def _stage(folder: Path, root: Path, changes: Sequence[Change]) -> None:
    _discard(folder)
    folder.mkdir()
    _write(folder / ".gitignore", "*\n")
    entries = []
    for number, change in enumerate(changes):
        _write(folder / str(number), change.after)
        if change.before is not None:
            _write(folder / f"{number}.before", change.before)
            for staged in (folder / str(number), folder / f"{number}.before"):
                shutil.copymode(root / change.path, staged)
        before = None if change.before is None else _digest(change.before)
        entries.append({"path": str(change.path), "before": before, "after": _digest(change.after)})
    _write(folder / "unfinished", json.dumps(entries))
    (folder / "unfinished").replace(folder / _JOURNAL)
    _flush(folder)


def _discard(folder: Path) -> None:
    """Remove the journal, from when on there is nothing to finish, and then the rest."""
    (folder / _JOURNAL).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _finish(root: Path) -> None:
    """Finish the change of a killed command; forget it where it had touched nothing."""
    folder = _folder(root)
    if not folder.is_dir():
        return
    entries = _read_journal(folder)
    # What has no staged file any more was renamed into its place before the kill.
    waiting = [(folder / str(number), entry) for number, entry in enumerate(entries)]
    waiting = [(staged, entry) for staged, entry in waiting if staged.exists()]
    for staged, entry in waiting:
        path = place_of(root, PurePosixPath(entry["path"]))
        present = _digest(_read(path)) if path.exists() else None
        # A kill in the middle of an undo leaves no file where there was one.
        if present not in (entry["before"], entry["after"], None):
            raise BadInput(
                "interrupted-change",
                f"A command was killed before it wrote {path}, which was edited since.",
                f"Take over what you need from {staged}, then remove {folder}.",
            )
    for staged, entry in waiting:
        path = place_of(root, PurePosixPath(entry["path"]))
        _make_parents(path)
        staged.replace(path)
    _discard(folder)


def _read_journal(folder: Path) -> list[dict[str, Any]]:
    """The journal's entries; none where the kill came before there was a journal."""
    try:
        entries = json.loads((folder / _JOURNAL).read_text(encoding="utf-8"))
        return [{key: entry[key] for key in ("path", "before", "after")} for entry in entries]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            "interrupted-change",
            f"{folder} holds a journal that no command of this tool wrote.",
            f"Remove {folder}.",
        ) from error


def _put_back(root: Path, folder: Path, changes: Sequence[Change], made: Sequence[Path]) -> None:
    """Undo by renames alone: they need no room on a full disk, and a kill can fall between them."""
    if not (folder / _JOURNAL).exists():
        return  # nothing was touched yet
    for number, change in reversed(list(enumerate(changes))):
        staged, path = folder / str(number), root / change.path
        if staged.exists():
            continue
        path.replace(staged)
        if change.before is not None:
            (folder / f"{number}.before").replace(path)
    for parent in reversed(made):
        with suppress(OSError):  # somebody else has put something into it
            parent.rmdir()


def _make_parents(path: Path) -> list[Path]:
    missing = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    return list(reversed(missing))


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    """Let the folder's names reach the disk before anything relies on them."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _not_written(root: Path, error: OSError) -> MachineFailure:
    return MachineFailure(
        "write-failed",
        f"The repository {root} cannot be written: {error.strerror or error}.",
        "Free some space or make it writable, then run the command again.",
    )
