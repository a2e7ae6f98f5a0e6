"""Files that are whole at any moment, whatever stops the program or the machine."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write beside the file and rename into place, so that no reader ever sees half of it."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        with named_in_errors(path), partial.open("wb") as file:
            write(file)
            file.flush()
            # The rename may reach the disk before the content does, unless that is there first.
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextlib.contextmanager
def named_in_errors(path: Path) -> Iterator[None]:
    """Say which file could not be written: the system names only one that it cannot open."""
    try:
        yield
    except OSError as error:
        if error.errno and not error.filename:
            error.filename = str(path)
        raise


def lock_file(file: TextIO) -> None:
    """Hold a file until it is closed or the process ends; BlockingIOError: another holds it.

    Where there are no such locks, on Windows and on some network drives, it does nothing.
    """
    fcntl: Any
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk; Windows has no such call and needs none."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
