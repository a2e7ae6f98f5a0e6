"""Runs that nothing stopped, trained once, for others to be compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from .running import Result, small, train

if TYPE_CHECKING:
    from pathlib import Path


class Whole(Protocol):
    """Train a package's small run, with these settings too, that nothing stops."""

    def __call__(self, package: str, *settings: str) -> Result: ...


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The result of a run, trained when it is first asked for."""
    results: dict[tuple[str, ...], Result] = {}

    def trained(package: str, *settings: str) -> Result:
        if (package, *settings) not in results:
            folder: Path = tmp_path_factory.mktemp("whole") / "run"
            assert train(package, *small(package, *settings), "--output-dir", folder) == 0
            results[package, *settings] = Result.of(folder, package)
        return results[package, *settings]

    return trained
