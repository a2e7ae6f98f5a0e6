"""Trained checkpoints of every task, and the command that exports them."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

# What pytest imports these modules from, by whatever name it gives them.
ROOT = Path(__file__).resolve().parents[__name__.count(".")]
PACKAGES = ("digits", "tabular", "sequence", "fourth")
# By package: a run of seconds whose model is good enough to be harmed by a bad export.
TRAINING: dict[str, Sequence[str]] = {
    "digits": ("--epochs=10", "--model.channels=8", "--model.hidden-features=16"),
    "tabular": ("--epochs=20",),
    "sequence": ("--epochs=2", "--model.features=16", "--model.num-heads=2", "--model.depth=1"),
    "fourth": ("--epochs=5", "--batch-size=24"),
}


class RunExport(Protocol):
    """Export a package's checkpoint into a new folder; return what ``export.json`` says."""

    def __call__(self, package: str, out: Path, target: str, *options: str) -> dict[str, Any]: ...


class Checkpoint(Protocol):
    """Return the best.pt of a package's run, trained when it is first asked for."""

    def __call__(self, package: str) -> Path: ...


def call(module: str, *arguments: object) -> int:
    """Run a command's module in this process; return the exit status."""
    main = importlib.import_module(module).main
    command = importlib.import_module(f"{module.partition('.')[0]}.command")
    status: int = command.run_command(lambda: main([str(argument) for argument in arguments]))
    return status


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Checkpoints of trained models."""
    paths: dict[str, Path] = {}

    def trained(package: str) -> Path:
        if package not in paths:
            folder = tmp_path_factory.mktemp(package) / "run"
            fixed = ("--device=cpu", f"--output-dir={folder}")
            assert call(f"{package}.train", *fixed, *TRAINING[package]) == 0
            paths[package] = folder / "best.pt"
        return paths[package]

    return trained


@pytest.fixture
def run_export(checkpoint: Checkpoint) -> RunExport:
    """Export as the command line does; the artefact must come."""

    def run(package: str, out: Path, target: str, *options: str) -> dict[str, Any]:
        paths = ("--checkpoint", checkpoint(package), "--out", out)
        assert call(f"{package}.export.__main__", target, *paths, *options) == 0
        report: dict[str, Any] = json.loads((out / "export.json").read_text(encoding="utf-8"))
        return report

    return run


@pytest.fixture(autouse=True)
def path(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fresh processes import the targets that only these tests have."""
    paths = f"{os.environ['PYTHONPATH']}{os.pathsep}{ROOT}"
    monkeypatch.setenv("PYTHONPATH", paths)
