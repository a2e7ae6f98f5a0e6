"""What can be tried of `scripts/train.sbatch` without a cluster; test_slurm.py has one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
# srun as this script sees it: it notes what it is to run, and ends as it is told.
SRUN = """#!/bin/sh
for argument; do printf '%s\\0' "$argument"; done >given
exit "${SRUN_EXIT:-0}"
"""
HOSTILE = ["two words", "it's", '"quoted"', ";", "$HOME `id`", "*", "new\nline\n", "", "--", "ä🚀"]


class Job:
    """A job of four nodes in a folder of its own, whose srun only notes what it is to run.

    Args:
        folder: an empty folder
        script: the script
    """

    def __init__(self, folder: Path, script: Path) -> None:
        self.folder = folder
        (folder / "scripts").mkdir()
        shutil.copy(script, folder / "scripts")
        (folder / "tools").mkdir()
        self.srun = folder / "tools" / "srun"
        self.srun.write_text(SRUN)
        self.srun.chmod(0o755)

    def run(self, *arguments: str, code: int = 0, **variables: str) -> str:
        """Run the script as Slurm does; return what it printed."""
        path = f"{self.srun.parent}{os.pathsep}{os.environ['PATH']}"
        job = {"SLURM_JOB_ID": "70123", "SLURM_JOB_NUM_NODES": "4"}
        result = subprocess.run(
            ["bash", "scripts/train.sbatch", *arguments],
            cwd=self.folder,
            env=os.environ | job | {"PATH": path, "PYTHON": sys.executable} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        assert result.returncode == code, result.stdout
        return result.stdout

    def given(self) -> tuple[list[str], list[str]]:
        """Return what srun was to run: torchrun with its options, and the trainer's arguments."""
        words = (self.folder / "given").read_text(encoding="utf-8").split("\0")[:-1]
        trainer = words.index("digits.train")
        return words[:trainer], words[trainer + 1 :]


@pytest.fixture
def job(tmp_path: Path, scripts: Path) -> Job:
    """A job whose run has not begun."""
    return Job(tmp_path, scripts / "train.sbatch")


def test_arguments_arrive_as_they_were_given(job: Job) -> None:
    job.run("hostile", "--", *HOSTILE)

    _, arguments = job.given()
    assert arguments == ["--output-dir", "runs/hostile", *HOSTILE]


def test_all_nodes_meet_at_the_first(job: Job) -> None:
    job.run(SLURM_GPUS_ON_NODE="8")

    torchrun, arguments = job.given()
    assert torchrun[:3] == [sys.executable, "-m", "torch.distributed.run"]
    options = dict(zip(torchrun[3::2], torchrun[4::2], strict=False))
    assert options["--nnodes"] == "4"
    assert options["--nproc-per-node"] == "8"
    assert options["--rdzv-id"] == "70123-0"
    assert options["--rdzv-endpoint"].endswith(":20123")
    assert arguments == ["--output-dir", "runs/digits"]


def test_a_run_with_checkpoints_is_resumed_with_what_may_change(job: Job) -> None:
    checkpoints = job.folder / "runs" / "digits" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "step-00000120.pt").touch()

    job.run("--", "--config", "configs/default.toml", "--config=x", "--epochs", "50")

    assert job.given()[1] == ["--resume", "runs/digits", "--epochs", "50"]


def test_the_exit_code_is_that_of_the_training(job: Job) -> None:
    job.run(code=3, SRUN_EXIT="3")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["a b"], "'a b' is not a name"),
        ([""], "'' is not a name"),
        (["../x"], "'../x' is not a name"),
        (["--epochs", "3"], "'--epochs' is not a name"),
        (["x", "--epochs"], "Write -- before the arguments"),
        (["x", "--", "--output-dir", "y"], "Leave out --output-dir"),
        (["--", "--resume=y"], "Leave out --resume"),
    ],
)
def test_wrong_usage_gets_one_sentence(job: Job, arguments: list[str], complaint: str) -> None:
    told = job.run(*arguments, code=2)

    assert told.startswith("error: ")
    assert complaint in told
    assert told.count("\n") == 1
    assert not (job.folder / "given").exists()


def test_a_submission_from_elsewhere_is_refused(job: Job) -> None:
    (job.folder / "scripts" / "train.sbatch").rename(job.folder / "copy")
    (job.folder / "scripts" / "train.sbatch").symlink_to("nowhere")

    result = subprocess.run(
        ["bash", "copy"],
        cwd=job.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 2
    assert "from the repository's folder" in result.stderr
