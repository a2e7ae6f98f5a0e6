"""A rendered repository whose scripts are tried."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with nothing in it: no store is needed here."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package `digits`, with the script for Slurm."""
    folder = tmp_path_factory.mktemp("scripts")
    template = folder / "template-repository"
    template.mkdir()
    shutil.copy(ROOT / "copier.yml", template)
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    shutil.copytree(ROOT / "template", template / "template", ignore=ignored)
    (folder / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    environment = os.environ | {"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    answers = ["-d", "package=digits", "-d", "slurm=true"]
    for command in (
        ["git", "init", "--quiet"],
        ["git", "add", "--all"],
        ["git", "commit", "--quiet", "--message", "The working template"],
        [sys.executable, "-m", "copier", "copy", "-q", "--defaults", *answers, ".", "../digits"],
    ):
        subprocess.run(command, cwd=template, env=environment, check=True)
    return folder / "digits"


@pytest.fixture(scope="session")
def scripts(rendered: Path) -> Path:
    """The folder of the scripts."""
    return rendered / "scripts"
