"""What every test gets: a home of its own, a store in it, a repository to work in."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
GIT_CONFIG = "[user]\n\tname = Ada Example\n\temail = ada@example.org\n"
# What a program needs of the machine; all else could be the user's taste and stays out.
_KEPT = ("PATH", "LANG", "TMPDIR")
# How this machine must do arithmetic, where somebody has said so.
_KEPT_PREFIXES = ("OMP_", "MKL_", "OPENBLAS_")


class Run(Protocol):
    """Run `nnscaffold` as a program, with these arguments, and expect an exit code."""

    def __call__(
        self, *arguments: str | Path, cwd: Path | None = None, code: int = 0
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture(autouse=True, scope="session")
def default_signals() -> Iterator[None]:
    """Let signals end what the tests start: in a background job they would be ignored."""
    usual = {
        number: signal.signal(number, handler)
        for number, handler in (
            (signal.SIGINT, signal.default_int_handler),
            (signal.SIGHUP, signal.SIG_DFL),
        )
    }
    yield
    for number, handler in usual.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def seeded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a store, and a repository made from it; to be copied, not to be changed."""
    home = tmp_path_factory.mktemp("seed")
    (home / ".gitconfig").write_text(GIT_CONFIG)
    _run_program(home, "new", "project", home / "digits", "--defaults", "--quiet")
    _run_program(home, "kinds", "--quiet", cwd=home / "digits")
    return home


@pytest.fixture(autouse=True)
def home(seeded_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An isolated home, with the store that a first command made."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(GIT_CONFIG)
    shutil.copytree(seeded_home / ".nnscaffold", home / ".nnscaffold", symlinks=True)
    environment = isolated_environment(home)
    for name in list(os.environ):
        if name not in environment and not name.startswith(("PYTEST", "COV")):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return home


@pytest.fixture
def nnscaffold(home: Path) -> Run:
    """Run `nnscaffold` as a program."""

    def run(
        *arguments: str | Path, cwd: Path | None = None, code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        return _run_program(home, *arguments, cwd=cwd, code=code)

    return run


@pytest.fixture
def repository(seeded_home: Path, tmp_path: Path) -> Path:
    """A repository with the default answers, committed."""
    return Path(shutil.copytree(seeded_home / "digits", tmp_path / "digits", symlinks=True))


def isolated_environment(home: Path) -> dict[str, str]:
    """The variables of a program that sees this home and nothing of the user's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name.startswith(_KEPT_PREFIXES)
    }
    return kept | {
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "TERM": "xterm-256color",
    }


def _run_program(
    home: Path, *arguments: str | Path, cwd: Path | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-m", "scaffolder", *map(str, arguments)],
        cwd=cwd or home,
        env=isolated_environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == code, (result.returncode, result.stdout, result.stderr)
    return result


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of eight megabytes that can be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
