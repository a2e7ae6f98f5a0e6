"""Ctrl-C at a moment that suits."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait until the block is done, and interrupt then.

    In the middle of ``torch.save`` it would come out as a RuntimeError about an unfinished file,
    and TensorBoard's writer, which waits for a thread, would hang.
    """
    if threading.current_thread() is not threading.main_thread():
        # Ctrl-C reaches the main thread alone.
        yield
        return
    held = False

    def hold(*_: object) -> None:
        nonlocal held
        held = True

    usual = signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if held:
            signal.raise_signal(signal.SIGINT)
