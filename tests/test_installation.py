"""Installed from a clone without tags, a source archive or a wheel, the tool behaves the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from scaffolder import __version__
from scaffolder.bundle import read_header
from scaffolder.git import git
from scaffolder.store import RELEASES
from scaffolder.versions import latest_release

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
def sources(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What can be installed."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "-o", str(folder)]
    subprocess.run([*build, str(clone)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    (archive,) = folder.glob("*.tar.gz")
    return {"clone": clone, "archive": archive, "wheel": wheel}


@pytest.fixture(scope="module")
def sites(sources: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An installation by each way."""
    folder = tmp_path_factory.mktemp("sites")
    return {name: install(source, folder / name) for name, source in sources.items()}


@pytest.fixture(scope="module")
def command(sources: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console script in an environment that has the wheel and what it requires, as users do.

    Made before a test's own home is: pip needs the settings that name the user's index.
    """
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=True)
    pip = [environment / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", sources["wheel"]], check=True)
    return environment / "bin" / "nnscaffold"


def run(site: Path, *arguments: str | Path, cwd: Path) -> str:
    module = [sys.executable, "-m", "scaffolder", *map(str, arguments)]
    return output(module, cwd, os.environ | {"PYTHONPATH": str(site)})


def output(command: list[str], cwd: Path, environment: dict[str, str]) -> str:
    result = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
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
    latest = latest_release(read_header(RELEASES).tags)
    assert latest is not None
    made = []
    for name, site in sites.items():
        shutil.rmtree(home / ".nnscaffold", ignore_errors=True)
        (tmp_path / name).mkdir()
        run(site, "new", "project", "digits", cwd=tmp_path / name)
        repository = tmp_path / name / "digits"
        run(site, "new", "layer", "Gate", "--kind", "attention", cwd=repository)
        assert f'_commit: "{latest.tag}"' in (repository / ".copier-answers.yml").read_text()
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


def test_a_wheel_and_what_it_requires_suffice_in_a_new_environment(
    command: Path, tmp_path: Path, home: Path
) -> None:
    shutil.rmtree(home / ".nnscaffold")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def nnscaffold(*arguments: str, cwd: Path = tmp_path) -> str:
        return output([str(command), *arguments], cwd, environment)

    assert nnscaffold("--version") == f"nnscaffold {__version__}\n"
    nnscaffold("new", "project", "digits", "--defaults")
    repository = tmp_path / "digits"
    nnscaffold("new", "layer", "Gate", "--kind", "attention", cwd=repository)
    assert (repository / "src" / "digits" / "layers" / "gate.py").is_file()
    assert (repository / "tests" / "layers" / "test_gate.py").is_file()


@pytest.fixture(scope="module")
def runs(
    sources: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, subprocess.CompletedProcess[str]]:
    """A check by each tool that installs ours for itself, of a folder with one finding.

    Run before a test's own home is made, for the sake of the user's index.
    """
    folder = tmp_path_factory.mktemp("tools")
    venv.create(folder / "venv", with_pip=True)
    bin_ = folder / "venv" / "bin"
    install = [bin_ / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    subprocess.run([*install, "uv", "pipx", "pre-commit"], check=True)
    checked = folder / "checked"
    checked.mkdir()
    (checked / "net.py").write_text("x = 1  # noqa: NN103\n")
    git("init", "-q", cwd=checked)
    git("add", "-A", cwd=checked)
    ours = ["nnscaffold", "check", "."]
    # The clone has a commit, which is what pre-commit takes, whatever the work tree looks like.
    hook = ["try-repo", sources["clone"], "nnscaffold-check", "--all-files", "--verbose"]
    commands = {
        "uvx": [bin_ / "uvx", "--from", sources["wheel"], *ours],
        "pipx": [bin_ / "pipx", "run", "--spec", sources["wheel"], *ours],
        "torch": [bin_ / "uvx", "--from", sources["wheel"], "python", "-c", "import torch"],
        "pre-commit": [bin_ / "pre-commit", *hook],
    }
    caches = {"UV_CACHE_DIR": "uv", "PIPX_HOME": "pipx", "PRE_COMMIT_HOME": "pre-commit"}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {name: str(folder / cache) for name, cache in caches.items()}
    return {
        name: subprocess.run(
            [*map(str, command)],
            cwd=checked,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for name, command in commands.items()
    }


@pytest.mark.parametrize("tool", ["uvx", "pipx", "pre-commit"])
def test_a_check_needs_no_installation_and_no_torch(
    runs: dict[str, subprocess.CompletedProcess[str]], tool: str
) -> None:
    result = runs[tool]
    assert result.returncode == 1, result.stderr
    assert "net.py:1:8: unused-noqa" in result.stdout
    assert "No module named 'torch'" in runs["torch"].stderr


def test_every_installation_can_explain_the_rules(sites: dict[str, Path], tmp_path: Path) -> None:
    for site in sites.values():
        assert "nn.ModuleList" in run(site, "explain", "NN103", cwd=tmp_path)
