"""What the two commands share: how they end."""

from collections.abc import Callable

from .distributed import lost_contact
from .errors import InputError, Told, sentence, status, tell
from .signals import Stopped, stop_behind


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
        tell(sentence(error))
        return status(error)
    except Told as told:
        return told.status
    except (Stopped, KeyboardInterrupt, Exception) as error:
        if stopped := stop_behind(error):
            return stopped
        if not lost_contact(error):
            raise
        tell("another process of this run has ended.")
        return 1
    return 0
