"""Kill -9 at random moments; copied into a generated repository's tests and run there."""

from __future__ import annotations

import importlib
import random
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# The generated repository's own way to start, kill and compare runs.
running: Any = importlib.import_module("tests.running")
SETTINGS = (*running.SMALL, "--epochs=15", "--checkpoint-every=1")


def start_and_kill(world_size: int, folder: Path, chance: random.Random) -> None:
    """Start a run, or go on with it, and kill all its processes at some moment."""
    checkpoints = running.CheckpointFolder(folder)
    done = checkpoints.steps()
    arguments = ("--resume", folder) if done else (*SETTINGS, "--output", folder)
    with running.started(running.command(world_size, *arguments)) as process:
        if chance.random() < 0.2:
            # While it starts: it may have no folder yet, or be reading its checkpoint. Not much
            # later: a fast machine would be done with the run.
            kill_at = time.monotonic() + chance.uniform(0, 4)
            while time.monotonic() < kill_at and checkpoints.steps() in ([], done):
                time.sleep(0.005)
        else:
            running.wait_for_step(process, folder, max(done, default=0) + chance.randint(1, 8))
            time.sleep(chance.uniform(0, 0.04))  # the moment of the kill, not a wait for it
        running.kill(process)


@pytest.mark.parametrize(
    ("world_size", "kills", "seed"), [(1, 6, 1), (1, 6, 2), (2, 4, 3), (2, 4, 4)]
)
def test_a_run_killed_at_random_moments_is_the_undisturbed_one(
    tmp_path: Path,
    world_size: int,
    kills: int,
    seed: int,
) -> None:
    chance = random.Random(seed)
    folder = tmp_path / "killed"
    for _ in range(kills):
        start_and_kill(world_size, folder, chance)
    resumed = running.CheckpointFolder(folder).steps()
    assert resumed
    assert resumed[-1] < 135

    running.succeed(running.command(world_size, "--resume", folder))

    whole = tmp_path / "whole"
    running.succeed(running.command(world_size, *SETTINGS, "--output", whole))
    running.Result.of(whole).expect(running.Result.of(folder))
