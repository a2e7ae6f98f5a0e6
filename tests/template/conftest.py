"""The working template, rendered by Copier as a stranger would, and programs run in the result."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# What a program needs of the machine; all else could be the user's taste and stays out.
KEPT = ("PATH", "LANG", "TMPDIR")
# How this machine must do arithmetic, where somebody has said so.
KEPT_PREFIXES = ("MKL_", "OPENBLAS_")


class Program(Protocol):
    """Run a Python module, such as `pytest`, in a folder; return what it printed."""

    def __call__(self, folder: Path, module: str, *arguments: str) -> str: ...


class Render(Protocol):
    """Render the template into a new folder with these answers, defaults for the others."""

    def __call__(self, **answers: Any) -> Path: ...


@pytest.fixture(scope="session")
def template_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that holds a git identity and nothing of the user's."""
    home = tmp_path_factory.mktemp("home")
    identity = "[user]\n\tname = Ada Example\n\temail = ada@example.org\n"
    (home / ".gitconfig").write_text(identity)
    return home


@pytest.fixture(autouse=True)
def home(template_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The isolated home, for what a test itself runs; no store in it, unlike the other tests'."""
    monkeypatch.setenv("HOME", str(template_home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return template_home


@pytest.fixture(scope="session")
def environment(template_home: Path) -> dict[str, str]:
    """The variables of every program: the machine's, the isolated home, one thread."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or name.startswith(KEPT_PREFIXES)
    }
    return kept | {
        "HOME": str(template_home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "PYTHONPATH": "src",
        # Two test processes on two cores: more threads would only wait for each other.
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="session")
def program(environment: dict[str, str]) -> Program:
    """Run Python modules in a rendered repository and expect success."""

    def run(folder: Path, module: str, *arguments: str) -> str:
        result = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=3600,
            check=False,
        )
        printed = result.stdout + result.stderr
        assert result.returncode == 0, f"{module} {' '.join(arguments)}\n{printed}"
        return printed

    return run


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """The work tree's template, uncommitted changes too, as a git repository with one version."""
    folder = tmp_path_factory.mktemp("template")
    shutil.copy(ROOT / "copier.yml", folder)
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    shutil.copytree(ROOT / "template", folder / "template", ignore=ignored)
    for command in (
        ("init", "--quiet"),
        ("add", "--all"),
        ("commit", "--quiet", "--message", "The working template"),
        ("tag", "v0.0.1"),
    ):
        subprocess.run(["git", *command], cwd=folder, env=environment, check=True)
    return folder


@pytest.fixture(scope="session")
def render(
    tmp_path_factory: pytest.TempPathFactory,
    template: Path,
    program: Program,
) -> Render:
    """Render with Copier's own command, untrusted and unasked; once for the same answers."""
    rendered: dict[str, Path] = {}

    def run(**answers: Any) -> Path:
        text = yaml.safe_dump(answers, sort_keys=False)
        if text not in rendered:
            folder = tmp_path_factory.mktemp("rendered")
            (folder / "answers.yml").write_text(text)
            arguments = ("--quiet", "--defaults", "--data-file", "answers.yml")
            program(folder, "copier", "copy", *arguments, str(template), "repository")
            rendered[text] = folder / "repository"
        # A copy, for a test may change it.
        copy = tmp_path_factory.mktemp("copy") / "repository"
        return Path(shutil.copytree(rendered[text], copy, symlinks=True))

    return run
