"""What all tests share: a fixed random state."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Start every test from the same random numbers, so that none fails by chance."""
    torch.manual_seed(0)
