"""The suite is one source: what the wheel has is what a repository gets, byte for byte."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

from .conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Render

INSTALLED = "nnscaffold/contract/"


def test_the_wheel_s_suite_is_that_of_a_repository(render: Render, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "--directory", tmp_path], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        installed = {
            name.removeprefix(INSTALLED): archive.read(name)
            for name in archive.namelist()
            if name.startswith(INSTALLED)
        }
        (entry_points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert b"[pytest11]\nnnscaffold = nnscaffold.pytest_plugin" in archive.read(entry_points)
    folder = render() / "tests" / "module_contract"
    vendored = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert set(installed) == set(vendored)
    assert installed == vendored


def test_a_repository_s_suite_stands_alone(render: Render) -> None:
    for file in (render() / "tests" / "module_contract").glob("*.py"):
        imports = [line for line in file.read_text().splitlines() if "import" in line]
        assert not [line for line in imports if "nnscaffold" in line], file.name
