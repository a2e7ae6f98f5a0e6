"""Files in one step: each is written beside its place and then renamed over what was there."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Short, whatever the file is called: a name may have as many characters as a file system takes.
PREFIX = ".nnscaffold-"


@contextlib.contextmanager
def written_beside(path: Path, data: bytes) -> Iterator[Path]:
    """A new file in the folder of `path`, to be renamed over it; removed if it was not.

    Args:
        path: No link: that would be replaced. If it exists, the new file has its mode and owner.
        data: What the new file holds, and the disk has it.

    Raises:
        OSError: It cannot be written.
    """
    beside = path.with_name(PREFIX + secrets.token_hex(8))
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            status = path.stat()
            with contextlib.suppress(OSError):  # only root may give files away
                os.chown(beside, status.st_uid, status.st_gid)
            beside.chmod(stat.S_IMODE(status.st_mode))
        yield beside
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def write_file(path: Path, data: bytes) -> None:
    """Write a file in one step; of a link, the file that it leads to.

    Raises:
        OSError: It cannot be written; it is as it was.
    """
    target = Path(os.path.realpath(path))
    with written_beside(target, data) as beside:
        beside.replace(target)


def is_read_only(path: Path) -> bool:
    """Whether somebody made a file read-only, though a new one could be renamed over it."""
    # To root everything is writable.
    writable = path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    return not writable or not os.access(path, os.W_OK)
