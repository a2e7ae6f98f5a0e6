"""Repositories of every task, rendered from the working template, whose packages tests import."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
FOURTH = Path(__file__).resolve().parent / "fourth"
# By package: the task that it is rendered with. The fourth's is then replaced by our own.
TASKS = {"digits": "digits", "tabular": "tabular", "sequence": "sequence", "fourth": "digits"}
# Likewise, with the minimal profile.
MINIMAL = {f"minimal_{task}": task for task in ("digits", "tabular", "sequence")}
EXPORTS = "[onnx, torch-export, quantize, prune, aoti, torchscript, executorch, torchserve, triton]"
PARTS = (
    "activation_checkpointing=true",
    # What files of version 0.3 hold still loads in repositories that are as old.
    "before_0_4=true",
    "fsdp=true",
    "profiler=true",
    "server=true",
    "slurm=true",
    "sweep=true",
    "warm_start=true",
    "workers=true",
    f"exports={EXPORTS}",
)
# The digits with default answers, so without these parts.
PLAIN = "plain"
ANSWERS = [text for part in PARTS for text in ("-d", part)]
LONGEST = ("test_processes.py", "test_one_voice.py", "test_targets.py")
HOUR = 3600
IDENTITY = "[user]\n\tname = Ada Example\n\temail = ada@example.org\n"


def sources() -> list[Path]:
    """All files that decide what is rendered."""
    files = [path for folder in (ROOT / "template", FOURTH) for path in folder.rglob("*")]
    return [ROOT / "copier.yml", *sorted(path for path in files if _counts(path))]


def _counts(path: Path) -> bool:
    return path.is_file() and not any("cache" in part for part in path.parts)


def digest() -> str:
    """Name what is rendered by its contents."""
    seen = hashlib.sha256(Path(__file__).read_bytes())
    for path in sources():
        seen.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return seen.hexdigest()[:16]


def render(folder: Path) -> None:
    """Render a repository a task into the folder."""
    template = folder / "template-repository"
    template.mkdir(parents=True)
    shutil.copy(ROOT / "copier.yml", template)
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    shutil.copytree(ROOT / "template", template / "template", ignore=ignored)
    (folder / ".gitconfig").write_text(IDENTITY)
    environment = os.environ | {"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    commands = [
        ["git", "init", "--quiet"],
        ["git", "add", "--all"],
        ["git", "commit", "--quiet", "--message", "The working template"],
    ]
    for package, task in (TASKS | MINIMAL).items():
        more = ANSWERS if package in TASKS else ["-d", "profile=minimal"]
        chosen = ("-d", f"package={package}", "-d", f"task={task}", *more)
        copier = [sys.executable, "-m", "copier", "copy", "-q", "--defaults", *chosen]
        commands.append([*copier, ".", f"../{package}"])
    copier = [sys.executable, "-m", "copier", "copy", "-q", "--defaults", "-d", f"package={PLAIN}"]
    commands.append([*copier, ".", f"../{PLAIN}"])
    for command in commands:
        subprocess.run(command, cwd=template, env=environment, check=True)
    for path in FOURTH.glob("*.py"):
        shutil.copy(path, folder / "fourth" / "src" / "fourth" / "task")


def rendered() -> Path:
    """Render once for each state of the template, whoever else of these tests wants it too."""
    builds = ROOT / "build" / "generated"
    builds.mkdir(parents=True, exist_ok=True)
    folder = builds / digest()
    with (builds / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            for older in builds.iterdir():
                # Not one that other tests may be using.
                if older.is_dir() and older.stat().st_mtime < time.time() - HOUR:
                    shutil.rmtree(older)
            partial = builds / "partial"
            shutil.rmtree(partial, ignore_errors=True)
            render(partial)
            partial.rename(folder)
        folder.touch()
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files that take longest come first, so that no process waits for one at the end."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


REPOSITORIES = rendered()
PATHS = [str(REPOSITORIES / package / "src") for package in [*TASKS, *MINIMAL, PLAIN]]
sys.path[:0] = PATHS


@pytest.fixture(scope="session")
def repositories() -> Path:
    """The folder of the rendered repositories, each named after its package."""
    return REPOSITORIES


@pytest.fixture(autouse=True, scope="session")
def variables() -> Iterator[None]:
    """The packages on the path of every program."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(PATHS))
        # Two test processes on two cores: more threads would only wait for each other.
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with nothing in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path
