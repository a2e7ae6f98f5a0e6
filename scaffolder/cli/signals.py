"""Signals raised as exceptions, so that an interrupted command first undoes what it began."""

from __future__ import annotations

import signal
import sys

import typer

_AGAIN_AFTER_SECONDS = 0.01


class Stopped(BaseException):
    """A signal that ends the process.

    Not a KeyboardInterrupt: Typer makes an exit code of that, and Python, where one has passed
    through the `exec` of a text, ends the process by the signal, though it was caught.

    Attributes:
        number: Which signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def raise_signals() -> None:
    """Let Ctrl-C, SIGTERM and SIGHUP raise `Stopped` in this process from now on."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # nohup, and a shell that starts a job in the background, want some of them ignored.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)
    sys.unraisablehook = _raise_again


def causing_signal(error: BaseException | None) -> int | None:
    """The signal that an error comes from; the interrupted code may have raised its own error."""
    while error:
        if isinstance(error, Stopped):
            return error.number
        if isinstance(error, typer.Abort):
            return signal.SIGINT  # Ctrl-C at a question
        error = error.__context__
    return None


def _stop(number: int, _: object) -> None:
    raise Stopped(number)


def _raise_again(unraisable: sys.UnraisableHookArgs) -> None:
    """Repeat a signal that came in a finaliser, whose exceptions Python drops."""
    if not isinstance(unraisable.exc_value, Stopped):
        sys.__unraisablehook__(unraisable)
        return
    number = unraisable.exc_value.number
    signal.signal(signal.SIGALRM, lambda *_: _stop(number, None))
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_AFTER_SECONDS)
