"""What each task's README states of a run with default settings."""

from __future__ import annotations

import importlib
import json
import re
from typing import TYPE_CHECKING

import pytest

from .running import train

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("package", ["digits", "tabular", "sequence"])
def test_a_default_run_reaches_the_stated_quality(
    package: str, tmp_path: Path, repositories: Path
) -> None:
    readme = (repositories / package / "README.md").read_text(encoding="utf-8")
    stated = re.search(r"\*\*(\w+) (?:above|below) ([\d.]+)\*\*", readme)
    assert stated

    assert train(package, "--device=cpu", "--output-dir", tmp_path / "run") == 0

    primary = importlib.import_module(f"{package}.task.objective").PRIMARY
    assert stated[1] == primary.name
    reached = json.loads((tmp_path / "run" / "test.json").read_text())[primary.name]
    assert primary.better(reached, float(stated[2])), reached


@pytest.mark.parametrize("package", ["digits", "tabular", "sequence"])
def test_the_example_file_has_the_defaults(package: str, repositories: Path) -> None:
    settings = importlib.import_module(f"{package}.training.settings")
    example = repositories / package / "configs" / "default.toml"

    assert settings.read_config(example) == settings.default_config()
