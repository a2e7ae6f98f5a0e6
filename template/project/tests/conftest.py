"""What all tests share: a fixed random state, and signals as a terminal's program has them."""

import signal
from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Start every test from the same random numbers, so that none fails by chance."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _heard_signals() -> Iterator[None]:
    """Let signals end what the tests start: in a background job it would inherit not to hear."""
    usual = {signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler)}
    # Windows has no SIGHUP.
    if hasattr(signal, "SIGHUP"):
        usual[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in usual.items():
        signal.signal(number, handler)
