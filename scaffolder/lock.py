"""Locks on folders, which the operating system releases however their process ends."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PAUSE_IN_SECONDS = 0.05


class Busy(Exception):
    """Another process held the lock for longer than the timeout."""


@contextmanager
def locked(folder: Path, *, timeout: float) -> Iterator[None]:
    """Hold a folder's lock.

    Args:
        folder: The folder, which must exist.
        timeout: Seconds to wait for another process that holds it.

    Raises:
        Busy: It was not free in that time.
        OSError: The folder cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Busy(str(folder)) from None
                time.sleep(_PAUSE_IN_SECONDS)
        yield
    finally:
        os.close(descriptor)
