"""What all commands share: errors in one sentence, exit codes, and output that nobody may read."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

STANDARD_OUTPUT, STANDARD_ERROR = 1, 2


class InputError(Exception):
    """Something the user gave is wrong; the text says in one sentence what, and what to do."""


class Reported(Exception):
    """What was wrong has been printed; the command has only to end.

    Args:
        status: the exit status that it ends with
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"ends with {status}")
        self.status = status


class Stopped(BaseException):
    """The run was stopped by a signal; like KeyboardInterrupt, no handler of errors catches it.

    Args:
        number: the signal's number
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by signal {number}")
        self.number = number


def iter_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and what it came from, what a library has hidden by ``from None`` too."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def stop_status(error: BaseException) -> int:
    """Return the exit status of the stop that an error came from, or 0.

    128 and the signal's number; 130 by Ctrl-C. The error may be the stop itself, or what a library
    made of being interrupted: ``torch.save`` ends with one about an unfinished file.
    """
    for cause in iter_causes(error):
        if isinstance(cause, Stopped):
            return 128 + cause.number
        if isinstance(cause, KeyboardInterrupt):
            return 130
    return 0


def require(holds: bool, name: str, value: object, demand: str) -> None:
    """Refuse the value of a setting that does not hold what it must."""
    if not holds:
        raise InputError(f"{name} must be {demand}; it is {value}.")


def run_command(main: Callable[[], None]) -> int:
    """Run a command and return its exit status.

    0: done; 1: the machine failed, a full disk for example; 2: wrong input; 128 and a signal's
    number: stopped by that signal, 130 by Ctrl-C. An error that a user can fix is printed as one
    sentence; only a fault of the program has a traceback.
    """
    try:
        status = _status_of(main)
        return _status_of(_flush) or status
    except BrokenPipeError:
        # Whoever read the output, `head` for example, has seen enough.
        discard(STANDARD_OUTPUT)
        return 0


def report_error(text: str) -> None:
    """Print an error, with the rank of the process where that is not the main one."""
    rank = int(os.environ.get("RANK", "0"))
    speaker = f"rank {rank}: " if rank > 0 else ""
    warn(f"{speaker}error: {text}")


def error_text(error: InputError | OSError) -> str:
    """Return what is wrong, and where."""
    if isinstance(error, InputError):
        return str(error)
    # torch raises OSErrors of its own, which have a text and no number.
    where = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or error}{where}"


def exit_status(error: InputError | OSError) -> int:
    """Return the exit status: 2 for wrong input, 1 where the machine failed."""
    return 2 if isinstance(error, InputError) else 1


def say(text: str) -> None:
    """Print a line; that nobody reads it any more is not an error."""
    try:
        print(text, flush=True)
    except OSError:
        discard(STANDARD_OUTPUT)


def warn(text: str) -> None:
    """Print a line to the standard error output, with the same patience."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        discard(STANDARD_ERROR)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Swallow what the block prints."""
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


def _status_of(main: Callable[[], None]) -> int:
    try:
        main()
    except BrokenPipeError:
        raise
    except (InputError, OSError) as error:
        report_error(error_text(error))
        return exit_status(error)
    except Reported as reported:
        return reported.status
    except SystemExit as end:
        # Of the parser of arguments, which has printed what there was to print.
        return end.code if isinstance(end.code, int) else 0
    except BaseException as error:
        if status := stop_status(error):
            return status
        raise
    return 0


def _flush() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        # Python would try it again at its end, and complain.
        discard(STANDARD_OUTPUT)
        raise


def discard(descriptor: int) -> None:
    """Write into nothing from now on what goes to this file descriptor."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
