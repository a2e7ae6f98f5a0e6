"""`scripts/train.sbatch` in a real Slurm: jobs end, are requeued, resume, fail, are cancelled."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .slurm_cluster import Cluster, missing, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Render

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=missing() or "there is a Slurm"),
]
SECONDS = 240
SMALL = ("--model.channels", "4", "--device", "cpu")


class Jobs:
    """A repository whose trainings run on a cluster of two nodes."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder

    def submit(self, name: str, *arguments: str) -> str:
        """Submit a training of this name; return the job's number."""
        command = ("sbatch", "--parsable", "scripts/train.sbatch", name, "--", *arguments)
        number = self.cluster.run(*command, cwd=self.folder)
        assert number.isdigit(), number
        return number

    def wait_for_end(self, number: str) -> dict[str, str]:
        """Wait until the job has ended for good; return what Slurm knows of it."""
        ended = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
        wait_for(
            lambda: self.cluster.job(number).get("JobState") in ended, f"job {number}", SECONDS
        )
        return self.cluster.job(number)

    def wait_for_epoch(self, name: str) -> None:
        """Wait until a run has done its first epoch."""
        wait_for(lambda: bool(self.epochs(name)), f"an epoch of {name}", SECONDS)

    def epochs(self, name: str) -> list[int]:
        """Return the epochs that a run has done, as recorded."""
        metrics = self.folder / "runs" / name / "metrics.jsonl"
        if not metrics.exists():
            return []
        return [json.loads(line)["epoch"] for line in metrics.read_text().splitlines()]

    def log(self, number: str) -> str:
        """Return what the job has printed."""
        return (self.folder / f"slurm-{number}.log").read_text()


@pytest.fixture(scope="module")
def cluster(environment: dict[str, str]) -> Iterator[Cluster]:
    """Two nodes that run nothing yet."""
    # The path of munged's socket has room for a hundred characters only.
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder:
        path = f"{environment.get('PATH', os.defpath)}:/usr/sbin"
        cluster = Cluster(Path(folder), environment | {"PATH": path, "PYTHON": sys.executable})
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture(scope="module")
def jobs(cluster: Cluster, render: Render) -> Jobs:
    """A repository and the cluster."""
    return Jobs(cluster, render(package="strokes", slurm=True))


def test_a_job_on_two_nodes_trains_to_the_end(jobs: Jobs) -> None:
    number = jobs.submit("whole", "--epochs", "2", *SMALL)

    job = jobs.wait_for_end(number)

    assert (job["JobState"], job["ExitCode"]) == ("COMPLETED", "0:0"), jobs.log(number)
    assert job["NodeList"] == "n[1-2]"
    assert jobs.log(number).count("\ntest: ") == 1
    assert jobs.epochs("whole") == [1, 2]


def test_a_job_that_must_go_is_requeued_and_resumes(jobs: Jobs) -> None:
    settings = ("--config", "configs/default.toml", "--epochs", "40", *SMALL)
    number = jobs.submit("preempted", *settings)
    jobs.wait_for_epoch("preempted")

    # What Slurm does two minutes before the time limit.
    jobs.cluster.run("scancel", "--signal=USR1", "--batch", number)
    wait_for(lambda: jobs.cluster.job(number).get("Restarts") == "1", "the requeueing", SECONDS)
    stopped_in = len(jobs.epochs("preempted"))
    job = jobs.wait_for_end(number)

    log = jobs.log(number)
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1"), log
    assert 0 < stopped_in < 40
    assert "SIGUSR1: the training has been asked to write a checkpoint" in log
    assert "goes back into the queue, to resume from runs/preempted" in log
    assert log.count("\ntest: ") == 1
    assert jobs.epochs("preempted") == list(range(1, 41))


def test_a_cancelled_job_leaves_a_run_that_another_job_resumes(jobs: Jobs) -> None:
    settings = ("--epochs", "40", *SMALL)
    number = jobs.submit("cancelled", *settings)
    jobs.wait_for_epoch("cancelled")

    jobs.cluster.run("scancel", number)
    job = jobs.wait_for_end(number)
    wait_for(lambda: jobs.cluster.idle_nodes() == 2, "two idle nodes", SECONDS)

    assert (job["JobState"], job["Restarts"]) == ("CANCELLED", "0"), jobs.log(number)
    assert "Stopped. To resume" in jobs.log(number)
    assert 0 < len(jobs.epochs("cancelled")) < 40

    number = jobs.submit("cancelled", *settings)

    assert jobs.wait_for_end(number)["JobState"] == "COMPLETED", jobs.log(number)
    assert jobs.epochs("cancelled") == list(range(1, 41))


def test_a_training_that_fails_fails_its_job(jobs: Jobs) -> None:
    number = jobs.submit("failing", "--epochs", "0")

    job = jobs.wait_for_end(number)

    assert (job["JobState"], job["Restarts"]) == ("FAILED", "0")
    assert job["ExitCode"] == "1:0"
    assert "epochs must be at least 1" in jobs.log(number)
