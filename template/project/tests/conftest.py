"""What all tests share: the marker of slow checks."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, so that `-m "not slow"` leaves out the compilers' checks."""
    config.addinivalue_line("markers", "slow: takes seconds rather than milliseconds")
