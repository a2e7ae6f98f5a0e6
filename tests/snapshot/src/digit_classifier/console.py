"""What a run tells whoever watches, who may have gone away."""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator

from tqdm import tqdm

STANDARD_OUTPUT, STANDARD_ERROR = 1, 2


def say(text: str) -> None:
    """Print a line, above the bar where there is one; that nobody reads it any more is no error."""
    try:
        tqdm.write(text)
        sys.stdout.flush()
    except OSError:
        _discard(STANDARD_OUTPUT)


def warn(text: str) -> None:
    """Print a line to the standard error output, with the same patience."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _discard(STANDARD_ERROR)


def notify(text: str) -> None:
    """Write a line from a signal's handler, which may have come in the middle of a print."""
    with contextlib.suppress(OSError):
        os.write(STANDARD_ERROR, f"\n{text}\n".encode())


def let_go_of_the_terminal() -> None:
    """Write into nothing from now on what would go to a terminal that is no longer there."""
    for descriptor in (STANDARD_OUTPUT, STANDARD_ERROR):
        with contextlib.suppress(OSError):
            # `isatty` says no once the terminal is gone.
            if stat.S_ISCHR(os.fstat(descriptor).st_mode):
                _discard(descriptor)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Swallow what the block prints."""
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


def _discard(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
