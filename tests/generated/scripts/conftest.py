"""The scripts of a rendered repository."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def rendered(repositories: Path) -> Path:
    """The repository of the package `digits`."""
    return repositories / "digits"


@pytest.fixture(scope="session")
def scripts(rendered: Path) -> Path:
    """The folder of the scripts."""
    return rendered / "scripts"
