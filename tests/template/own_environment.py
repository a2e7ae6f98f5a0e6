"""Environments of their own for programs whose packages are too large for everybody's."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
FOLDER = ROOT / "build" / "environments"
"""Where they are kept from one run of the tests to the next; `make clean` removes them."""


def python_with(name: str, requirements: list[str], *, constrained: bool = True) -> Path:
    """Return the Python of an environment that has these packages, made if it is not there yet.

    Args:
        name: of the environment; one with other requirements takes its place
        requirements: as pip takes them
        constrained: whether the project's constraints hold for them
    """
    constraints = ("--constraint", str(CONSTRAINTS)) if constrained else ()
    wanted = "\n".join([sys.version, CONSTRAINTS.read_text(), *constraints, *requirements])
    stamp = hashlib.sha256(wanted.encode()).hexdigest()
    folder, ready = FOLDER / name, FOLDER / name / "ready"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:
        # Another run of the tests may be about to make it, too.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.is_file() or ready.read_text() != stamp:
            shutil.rmtree(folder, ignore_errors=True)
            _run(sys.executable, "-m", "venv", str(folder))
            python = str(folder / "bin" / "python")
            _run(python, "-m", "pip", "install", "--quiet", *constraints, *requirements)
            ready.write_text(stamp)
    return folder / "bin" / "python"


def requirements_of(repository: Path, *extras: str) -> list[str]:
    """Return what a rendered repository and some of its extras need, itself apart."""
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    groups = [project["optional-dependencies"][extra] for extra in extras]
    found = [*project["dependencies"], *(one for group in groups for one in group)]
    return [requirement for requirement in found if not requirement.startswith(project["name"])]


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}{result.stderr}"
