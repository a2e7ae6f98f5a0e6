"""The folder of a new repository: free before, and filled in one step."""

from __future__ import annotations

import secrets
import shutil
import signal
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from scaffolder.errors import BadInput
from scaffolder.lock import Busy, locked

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNFINISHED = ".nnscaffold-unfinished"
_TIMEOUT_SECONDS = 1.0


def require_free(path: Path) -> None:
    """Make sure that a repository can be created at an absolute path.

    Raises:
        BadInput: Something is there already, or it is the current folder.
    """
    try:
        path.lstat()
        occupied = path.is_symlink() or not path.is_dir() or any(path.iterdir())
        in_use = Path.cwd().is_relative_to(path.resolve())
    except FileNotFoundError:
        return
    except OSError as error:
        raise _not_writable(path, error) from error
    if occupied:
        reason = "is not empty" if path.is_dir() and not path.is_symlink() else "is not a folder"
        raise BadInput("target-exists", f"{path} {reason}.", "Choose a new folder.")
    if in_use:
        raise BadInput(
            "target-in-use",
            f"{path} is the folder you are in, which cannot be replaced under you.",
            "Change to the folder above it and run the command there.",
        )


@contextmanager
def unfinished_folder(path: Path, dry_run: bool) -> Iterator[Path]:
    """A folder to build in, beside the target, gone afterwards.

    Its lock distinguishes the folder of a running command from one that a killed command left. A
    dry run builds elsewhere, where temporary files go.

    Raises:
        BadInput: Nothing can be written there.
    """
    parent = Path(tempfile.gettempdir()) if dry_run else path.parent
    created = [above for above in (parent, *parent.parents) if not above.exists()]
    # Named before it is made, so that an interrupt at any moment leaves a name to remove.
    scratch = parent / f".{path.name[:100]}.{secrets.token_hex(8)}{_UNFINISHED}"
    try:
        try:
            parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(parent, path)
            scratch.mkdir(mode=0o700)
        except OSError as error:
            raise _not_writable(parent, error) from error
        with locked(scratch, timeout=_TIMEOUT_SECONDS):
            yield scratch / "repository"
    finally:
        with _uninterrupted():
            shutil.rmtree(scratch, ignore_errors=True)
            _remove_empty(created)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let signals wait, so that what is left of an unfinished folder goes whole."""
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def move_into_place(folder: Path, path: Path) -> None:
    """Give a finished folder its name, in one step for the file system.

    Raises:
        BadInput: Something was created there meanwhile, or nothing can be written there.
    """
    try:
        folder.rename(path)  # onto nothing, or an empty folder
    except OSError as error:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise BadInput(
                "target-exists",
                f"{path} was created meanwhile.",
                "Choose a new folder.",
            ) from error
        raise _not_writable(path.parent, error) from error


def _remove_abandoned(parent: Path, path: Path) -> None:
    for scratch in parent.glob(f".*{_UNFINISHED}"):
        if scratch.name.startswith(f".{path.name[:100]}."):
            # Another command may be at work in it, or it may be somebody else's.
            with suppress(Busy, OSError), locked(scratch, timeout=0):
                shutil.rmtree(scratch, ignore_errors=True)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return  # the new repository, or somebody else's file, is in it


def _not_writable(folder: Path, error: OSError) -> BadInput:
    return BadInput(
        "target-not-writable",
        f"Nothing can be written in {folder}: {error.strerror}.",
        "Choose another place, or make it writable.",
    )
