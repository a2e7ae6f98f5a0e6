"""A change to several files of a repository: all of it or nothing, whatever ends the command.

All new contents are first written beside the old ones, in a folder of the repository; then a list
of them, the journal; then each is renamed into its place. While there is no journal, nothing was
touched; once there is one, all that it needs is on the disk, so that the next command can finish
what a killed one began.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from scaffolder.errors import BadInput, MachineFailure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FOLDER = ".nnscaffold"
_JOURNAL = "journal.json"
_PATIENCE_IN_SECONDS = 30.0


class Change(NamedTuple):
    """A file's text before (None where there is no file) and after."""

    path: PurePosixPath
    before: str | None
    after: str


@contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Hold a repository for one command, and first finish what a killed one left.

    Raises:
        MachineFailure: Another command holds it for longer than anyone would wait, or the
            repository cannot be written.
    """
    descriptor = os.open(root, os.O_RDONLY)
    try:
        _lock(descriptor, root)
        _finish(root)
        yield
    finally:
        os.close(descriptor)


def apply(root: Path, changes: Sequence[Change]) -> None:
    """Write the changes, in their order; call it inside `exclusive`.

    Raises:
        MachineFailure: A file cannot be written; everything is as it was.
    """
    folder = root / _FOLDER
    made: list[Path] = []
    try:
        try:
            _stage(folder, changes)
            for number, change in enumerate(changes):
                made += _make_parents(root / change.path)
                (folder / str(number)).replace(root / change.path)
        except BaseException:
            _put_back(root, folder, changes, made)
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise MachineFailure(
            "write-failed",
            f"The repository {root} cannot be written: {error.strerror}.",
            "Free some space or make it writable, then run the command again.",
        ) from error


def _lock(descriptor: int, root: Path) -> None:
    give_up = time.monotonic() + _PATIENCE_IN_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise MachineFailure(
                    "repository-busy",
                    f"Another nnscaffold command has been at work in {root} for "
                    f"{_PATIENCE_IN_SECONDS:.0f} seconds.",
                    "Wait for it, or stop it, then run the command again.",
                ) from None
            time.sleep(0.05)
        else:
            return


def _stage(folder: Path, changes: Sequence[Change]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    entries = []
    for number, change in enumerate(changes):
        _write(folder / str(number), change.after)
        if change.before is not None:
            _write(folder / f"{number}.before", change.before)
        before = None if change.before is None else _digest(change.before)
        entries.append({"path": str(change.path), "before": before, "after": _digest(change.after)})
    _write(folder / "unfinished", json.dumps(entries))
    (folder / "unfinished").replace(folder / _JOURNAL)


def _finish(root: Path) -> None:
    """Finish the change of a killed command; forget it where it had touched nothing."""
    folder = root / _FOLDER
    if not folder.is_dir():
        return
    try:
        entries = json.loads((folder / _JOURNAL).read_text(encoding="utf-8"))
    except FileNotFoundError:
        entries = []
    # What has no staged file any more was renamed into its place before the kill.
    waiting = [(folder / str(n), entry) for n, entry in enumerate(entries)]
    waiting = [(staged, entry) for staged, entry in waiting if staged.exists()]
    for staged, entry in waiting:
        path = root / entry["path"]
        present = _digest(_read(path)) if path.exists() else None
        if present not in (entry["before"], entry["after"], None):
            raise BadInput(
                "interrupted-change",
                f"A command was killed before it wrote {path}, which was edited since.",
                f"Take over what you need from {staged}, then remove {folder}.",
            )
    for staged, entry in waiting:
        _make_parents(root / entry["path"])
        staged.replace(root / entry["path"])
    shutil.rmtree(folder, ignore_errors=True)


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


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
