"""The errors that a command tells in one sentence, and how it tells them."""

import os
import sys
from collections.abc import Iterator


class InputError(Exception):
    """Something in the user's hands is wrong; the text says in one sentence what and what to do."""


class FailedElsewhere(Exception):
    """Another process of the run failed and tells why; this one has only to end.

    Args:
        cause: the other process's error
    """

    def __init__(self, cause: InputError | OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Told(Exception):
    """What was wrong has been told; the command has only to end.

    Args:
        status: the exit status that it ends with
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"ends with {status}")
        self.status = status


def behind(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that it came of, what a library has hidden by ``from None`` too."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def tell(text: str) -> None:
    """Print an error, with the name of the process where it is not the one that usually speaks."""
    rank = int(os.environ.get("RANK", "0"))
    speaker = f"rank {rank}: " if rank > 0 else ""
    print(f"{speaker}error: {text}", file=sys.stderr, flush=True)


def sentence(error: InputError | OSError) -> str:
    """Return what is wrong, and where."""
    if isinstance(error, InputError):
        return str(error)
    # torch raises OSErrors of its own, which have a text and no number.
    where = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or error}{where}"


def status(error: InputError | OSError) -> int:
    """Return the exit status: 2 for wrong input, 1 where the machine failed."""
    return 2 if isinstance(error, InputError) else 1
