"""What the two commands share: how they end."""

import sys
from collections.abc import Callable

from .errors import InputError


def run_command(main: Callable[[], None]) -> int:
    """Run a command and return its exit status; one sentence tells what the user can mend.

    0: done; 1: the machine failed, a full disk for example; 2: wrong input; 130: Ctrl-C. None of
    these comes with a traceback once ``main`` has begun. Before that, while torch and the rest are
    imported, Ctrl-C ends the program as Python does it, with one.
    """
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        print(f"error: {error.strerror or error}{where}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
