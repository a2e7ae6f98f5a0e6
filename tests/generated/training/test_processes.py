"""Runs under torchrun: they stop together, restart and resume."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from digits.training.metrics_log import read_epochs

from .running import (
    TIMEOUT,
    Result,
    command,
    kill,
    load,
    small,
    started,
    steps,
    succeed,
    wait_for_step,
    workers,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

TRAIN = "fourth.train"
EPOCHS, STEPS = 5, 40
# With workers, augmentation, dropout and a checkpoint in mid-epoch.
SETTINGS = small("fourth", "--workers=1", "--checkpoint-every=3", epochs=EPOCHS)
KINDS = ["ddp", "fsdp"]


@pytest.fixture(scope="module")
def whole_of_two(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Result]:
    """Runs of two processes that nothing stops, trained once."""
    results: dict[str, Result] = {}

    def trained(strategy: str) -> Result:
        if strategy not in results:
            folder = tmp_path_factory.mktemp("whole") / "run"
            words = [*SETTINGS, f"--strategy={strategy}", "--output-dir", folder]
            succeed(command(TRAIN, *words, world_size=2))
            results[strategy] = Result.of(folder, "fourth")
        return results[strategy]

    return trained


@pytest.mark.parametrize(
    ("strategy", "number"),
    [("ddp", signal.SIGTERM), ("ddp", signal.SIGINT), ("fsdp", signal.SIGTERM)],
)
def test_two_processes_stop_together_and_resume(
    strategy: str,
    number: signal.Signals,
    tmp_path: Path,
    whole_of_two: Callable[[str], Result],
) -> None:
    folder = tmp_path / "run"
    settings = [*SETTINGS, f"--strategy={strategy}", "--output-dir", folder]
    with started(command(TRAIN, *settings, world_size=2)) as process:
        wait_for_step(process, folder, 9)
        process.send_signal(number)
        _, errors = process.communicate(timeout=TIMEOUT)

    assert process.returncode == 1
    assert errors.count("Stopped. To resume: ") == 1
    assert f"torchrun --nproc-per-node 2 -m {TRAIN} --resume {folder}\n" in errors
    assert steps(folder)[-1] < STEPS
    succeed(command(TRAIN, "--resume", folder, world_size=2))
    whole_of_two(strategy).expect(Result.of(folder, "fourth"))


@pytest.mark.parametrize("strategy", KINDS)
def test_a_killed_worker_is_restarted_and_the_run_resumes(
    strategy: str,
    tmp_path: Path,
    whole_of_two: Callable[[str], Result],
) -> None:
    folder = tmp_path / "run"
    settings = [*SETTINGS, f"--strategy={strategy}", "--output-dir", folder]
    words = command(TRAIN, *settings, world_size=2, launcher=["--max-restarts=2"])
    with started(words) as process:
        wait_for_step(process, folder, 9)
        os.kill(workers(process)[-1], signal.SIGKILL)
        output, errors = process.communicate(timeout=TIMEOUT)

    assert process.returncode == 0, errors
    assert "Restarted: resuming from " in output
    whole_of_two(strategy).expect(Result.of(folder, "fourth"))


def test_a_killed_run_resumes_from_its_last_checkpoint(
    tmp_path: Path,
    whole_of_two: Callable[[str], Result],
) -> None:
    folder = tmp_path / "run"
    chance = random.Random(2)
    arguments: tuple[object, ...] = (*SETTINGS, "--output-dir", folder)
    for step in (9, 24):
        with started(command(TRAIN, *arguments, world_size=2)) as process:
            wait_for_step(process, folder, step)
            time.sleep(chance.uniform(0, 0.05))  # the moment of the kill, not a wait for it
            kill(process)
        arguments = ("--resume", folder)

    succeed(command(TRAIN, *arguments, world_size=2))

    whole_of_two("ddp").expect(Result.of(folder, "fourth"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports torchrun's death")
def test_workers_do_not_outlive_torchrun(
    tmp_path: Path,
    whole_of_two: Callable[[str], Result],
) -> None:
    folder = tmp_path / "run"
    with started(command(TRAIN, *SETTINGS, "--output-dir", folder, world_size=2)) as process:
        wait_for_step(process, folder, 9)
        orphans = workers(process)
        process.kill()
        # Their outputs end when the last of them does.
        _, errors = process.communicate(timeout=TIMEOUT)

    assert len(orphans) == 2
    assert errors.count("Stopped. To resume: ") == 1
    succeed(command(TRAIN, "--resume", folder, world_size=2))
    whole_of_two("ddp").expect(Result.of(folder, "fourth"))


def test_a_sharded_run_resumes_in_any_number_of_processes(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = small("sequence", "--strategy=fsdp")
    once = ["--max-restarts=0"]
    for before, after, epochs in ((0, 2, 2), (2, 1, 4), (1, 2, 6)):
        arguments = ["--resume", folder] if before else [*settings, "--output-dir", folder]
        words = [*arguments, f"--epochs={epochs}"]
        output = succeed(command("sequence.train", *words, world_size=after, launcher=once))
        assert (f"Processes: {after}, before {before}." in output) is (before > 0)

    losses = [record["train_loss"] for record in read_epochs(folder / "metrics.jsonl")]
    assert len(losses) == 6
    assert losses[5] < losses[3] < losses[1]
    # Weights are kept whole, and evaluated in one process.
    best = load("sequence", folder / "best.pt")
    assert all(type(value) is torch.Tensor for value in best.model.values())
    output = succeed(command("sequence.evaluate", "--checkpoint", folder / "best.pt"))
    assert f"after epoch {best.epoch}" in output
