"""A generated repository's run survives kill -9 at twenty random moments."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Program, Render


@pytest.mark.slow
def test_kills_at_random_moments_change_nothing(render: Render, program: Program) -> None:
    repository = render(package="killed")
    shutil.copy(Path(__file__).with_name("kills.py"), repository / "tests" / "test_kills.py")

    printed = program(repository, "pytest", "-q", "tests/test_kills.py")

    assert "4 passed" in printed
