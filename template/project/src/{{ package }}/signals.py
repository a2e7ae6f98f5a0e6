"""Signals that ask a run to stop: Ctrl-C, a scheduler's SIGTERM, a terminal that goes away."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, Self

from .console import let_go_of_the_terminal, notify
from .distributed import Processes
from .errors import behind

# Windows has no SIGHUP.
NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
AGAIN_SECONDS = 0.01
"""How much later a signal comes again whose exception was dropped."""


class Stopped(BaseException):
    """The run was stopped by a signal; like KeyboardInterrupt, no handler of errors is for it.

    Args:
        number: the signal's number
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by signal {number}")
        self.number = number


def stop_behind(error: BaseException) -> int:
    """Return the exit status of the stop that an error came of, or 0.

    128 and the signal's number; 130 by Ctrl-C. The error may be the stop itself, or what a library
    made of being interrupted: ``torch.save`` ends with one about an unfinished file.
    """
    for cause in behind(error):
        if isinstance(cause, Stopped):
            return 128 + cause.number
        if isinstance(cause, KeyboardInterrupt):
            return 130
    return 0


class StopSignals:
    """Take the signals while the ``with`` block runs; they then do what suits the moment.

    As it comes, a signal raises ``Stopped`` at once; where Python drops what is raised, in a
    finaliser for one, it comes again a moment later. While they are ``held``, it is noted for
    ``agreed``, and nothing is interrupted: in the middle of ``torch.save`` that would come out as
    an error about an unfinished file, and TensorBoard's writer, which waits for a thread, would
    hang. The first signal counts. torchrun sends each again to its workers, which have got it from
    the terminal already: repeats are ignored.
    """

    def __init__(self) -> None:
        self.number = 0
        self._holding = False
        self._usual: dict[signal.Signals, Any] = {}
        self._usual_hook: Any = None

    def __enter__(self) -> Self:
        """Put the handlers in place; outside the main thread no signal comes, and none is taken."""
        if threading.current_thread() is not threading.main_thread():
            return self
        for name in NAMES:
            number = getattr(signal, name, None)
            # Somebody who starts a program by nohup wants it to outlive the terminal.
            if number is None or (name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN):
                continue
            self._usual[number] = signal.signal(number, self._receive)
        self._usual_hook, sys.unraisablehook = sys.unraisablehook, self._send_again
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put the usual handlers back."""
        for number, handler in self._usual.items():
            signal.signal(number, handler)
        if self._usual_hook:
            sys.unraisablehook = self._usual_hook

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Note signals while the block runs; one that nobody asked for raises ``Stopped`` then."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self.number:
            raise Stopped(self.number)

    def agreed(self, processes: Processes) -> int:
        """Return the number of a signal that any process got, the same for all, or 0."""
        return processes.highest(self.number)

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self.number:
            return
        self.number = number
        if signal.Signals(number).name == "SIGHUP":
            let_go_of_the_terminal()
        if not self._holding:
            raise Stopped(number)
        if os.environ.get("RANK", "0") == "0":
            notify(f"{signal.Signals(number).name}: stopping after this step.")

    def _send_again(self, dropped: "sys.UnraisableHookArgs") -> None:
        """Let a signal come again whose exception met a place that lets none out."""
        if not isinstance(dropped.exc_value, Stopped):
            self._usual_hook(dropped)
            return
        self.number = 0
        # By another thread: here it would meet the same place.
        again = threading.Timer(AGAIN_SECONDS, _send, [dropped.exc_value.number])
        again.daemon = True
        again.start()


def _send(number: int) -> None:
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        # A signal that this thread raised would not wake the main one, wherever that waits.
        signal.pthread_kill(main, number)
    else:
        signal.raise_signal(number)
