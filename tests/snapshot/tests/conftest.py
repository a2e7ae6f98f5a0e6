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
def _hang_up() -> Iterator[None]:
    """Let SIGHUP end what the tests start: under nohup, all of it would inherit not to hear it."""
    if not hasattr(signal, "SIGHUP"):
        yield
        return
    usual = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, usual)
