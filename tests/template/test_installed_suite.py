"""Repositories whose contract suite is the installed package pass their own tools and tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from .conftest import ROOT
from .test_answers import SOURCE
from .test_kinds import PACKAGE, manifest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Program, Render

# The tests of the modules of a new repository.
STARTERS = ("tests/layers/test_conv_block.py", "tests/models/test_digit_classifier.py")


@pytest.fixture(scope="module")
def repository(render: Render) -> Path:
    """A repository that holds every kind."""
    return render(package=PACKAGE, contract="package", modules=manifest())


@pytest.fixture(autouse=True)
def _installed(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs find this checkout's `nnscaffold`."""
    monkeypatch.setitem(environment, "PYTHONPATH", os.pathsep.join(["src", str(ROOT)]))


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "--no-cache"),
        ("ruff", "format", "--check", "--no-cache"),
        ("scaffolder", "check", "--no-cache", "--select", "ALL"),
        ("pytest", "-q", "-m", "not slow", *STARTERS),
        pytest.param(("mypy",), marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_a_repository_of_all_kinds_passes(
    repository: Path, program: Program, command: tuple[str, ...]
) -> None:
    assert "is not installed" not in program(repository, *command)


@pytest.mark.slow
def test_a_repository_as_it_begins_passes_what_uses_the_suite(
    render: Render, program: Program
) -> None:
    # The other kinds pass with the same suite as a part of the repository: `test_kinds.py`.
    repository = render(package=PACKAGE, contract="package")
    assert "is not installed" not in program(
        repository, "pytest", "-q", "tests/layers", "tests/models", "tests/test_export.py"
    )


def test_the_suite_is_that_of_the_package(repository: Path, program: Program) -> None:
    listed = program(repository, "pytest", "-q", "--co", "tests/layers/test_conv_block.py")
    assert "::test_registry" in listed
    imported = "import nnscaffold.contract as suite; print(suite.__file__)"
    (repository / "where.py").write_text(imported)
    assert str(ROOT / "nnscaffold") in program(repository, "where")
    (repository / "where.py").unlink()


def test_an_address_of_the_package_can_be_built(render: Render, program: Program) -> None:
    repository = render(contract="package", nnscaffold_from=SOURCE)
    assert SOURCE in program(repository, "hatchling", "metadata")
