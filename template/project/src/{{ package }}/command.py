"""What the two commands share: how they end."""

import os
import sys
import time
from collections.abc import Callable

from torch import distributed

from .errors import FailedElsewhere, InputError
from .signals import Stopped


def run_command(main: Callable[[], None]) -> int:
    """Run a command and return its exit status; one sentence tells what the user can mend.

    0: done; 1: the machine failed, a full disk for example; 2: wrong input; 128 and a signal's
    number: stopped by that signal, 130 by Ctrl-C. None of these comes with a traceback once
    ``main`` has begun. Before that, while torch and the rest are imported, Ctrl-C ends the program
    as Python does it, with one.
    """
    try:
        main()
    except (InputError, OSError) as error:
        if _rank() > 0 and isinstance(error, InputError):
            return _follow(error)
        print(f"{_speaker()}error: {_sentence(error)}", file=sys.stderr)
        return _status(error)
    except FailedElsewhere as error:
        return _follow(error.cause)
    except Stopped as stopped:
        return 128 + stopped.number
    except KeyboardInterrupt:
        return 130
    except RuntimeError as error:
        if not _lost_contact(error):
            raise
        print(f"{_speaker()}error: another process of this run has ended.", file=sys.stderr)
        return 1
    return 0


def _sentence(error: InputError | OSError) -> str:
    if isinstance(error, InputError):
        return str(error)
    where = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or error}{where}"


def _status(error: InputError | OSError) -> int:
    return 2 if isinstance(error, InputError) else 1


def _follow(error: InputError | OSError) -> int:
    """End in silence, as rank zero tells what is wrong; a moment later than rank zero."""
    # torchrun stops all processes as soon as one has ended, even in the middle of a sentence.
    time.sleep(1)
    return _status(error)


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))


def _speaker() -> str:
    """Name the process where it is one of several, not the one that usually speaks."""
    return f"rank {_rank()}: " if _rank() > 0 else ""


def _lost_contact(error: RuntimeError) -> bool:
    """Tell the end of a neighbour, which torch reports in several ways, from a fault of ours."""
    return distributed.is_available() and (
        isinstance(error, distributed.DistError) or "gloo" in str(error).lower()
    )
