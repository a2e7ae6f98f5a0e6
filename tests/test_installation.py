"""Installed from a clone without tags, a source archive or a wheel, the tool behaves the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scaffolder.bundle import read_header
from scaffolder.git import git
from scaffolder.store import RELEASES
from scaffolder.versions import newest_release

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", *map(str, arguments)]
    subprocess.run(command, check=True)


def install(source: Path, site: Path) -> Path:
    """Install a source into a folder of its own; what it requires is here already."""
    pip("install", "--no-deps", "--no-build-isolation", "--target", site, source)
    return site


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this repository as it is committed, without tags."""
    clone = tmp_path_factory.mktemp("source") / "clone"
    git("clone", "-q", "--no-tags", "--depth=1", f"file://{ROOT}", str(clone))
    return clone


@pytest.fixture(scope="module")
def sites(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An installation by each way."""
    folder = tmp_path_factory.mktemp("sites")
    build = [sys.executable, "-m", "build", "--no-isolation", "-o", str(folder / "dist")]
    subprocess.run([*build, str(clone)], check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    (archive,) = (folder / "dist").glob("*.tar.gz")
    sources = {"clone": clone, "archive": archive, "wheel": wheel}
    return {name: install(source, folder / name) for name, source in sources.items()}


def run(site: Path, *arguments: str | Path, cwd: Path) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "scaffolder", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(site)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def test_all_three_make_the_same_repository_from_the_newest_release(
    sites: dict[str, Path], tmp_path: Path, home: Path
) -> None:
    newest = newest_release(read_header(RELEASES).tags)
    assert newest is not None
    made = []
    for name, site in sites.items():
        shutil.rmtree(home / ".nnscaffold", ignore_errors=True)
        (tmp_path / name).mkdir()
        run(site, "new", "project", "digits", cwd=tmp_path / name)
        repository = tmp_path / name / "digits"
        run(site, "new", "layer", "Gate", "--kind", "attention", cwd=repository)
        assert f'_commit: "{newest.tag}"' in (repository / ".copier-answers.yml").read_text()
        made.append(files(repository))
    assert made[0] == made[1] == made[2]


def test_a_repository_of_an_installed_tool_updates_by_plain_copier(
    sites: dict[str, Path], tmp_path: Path, home: Path
) -> None:
    shutil.rmtree(home / ".nnscaffold")
    run(sites["wheel"], "new", "project", "digits", cwd=tmp_path)
    repository = tmp_path / "digits"
    run(sites["wheel"], "new", "layer", "Gate", cwd=repository)
    git("add", "-A", cwd=repository)
    git("commit", "-q", "-m", "Add Gate", cwd=repository)
    update = [sys.executable, "-m", "copier", "update", "--defaults"]
    subprocess.run(update, cwd=repository, check=True, capture_output=True)
    assert git("status", "--porcelain", cwd=repository) == ""


def test_a_wheel_carries_types_and_no_tests(sites: dict[str, Path]) -> None:
    assert (sites["wheel"] / "scaffolder" / "py.typed").is_file()
    assert (sites["wheel"] / "scaffolder" / "template.bundle").is_file()
    assert not (sites["wheel"] / "tests").exists()
