"""Kill -9 at random moments, then resume: the run is the undisturbed one, to the last bit."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from .running import (
    EPOCH,
    Result,
    command,
    kill,
    small,
    started,
    steps,
    succeed,
    wait_for_step,
)

if TYPE_CHECKING:
    from pathlib import Path

EPOCHS = 15


def settings(package: str, strategy: str) -> list[str]:
    """Write a checkpoint in every step, so that most kills strike while one is written."""
    every_step = ("--checkpoint-every=1", "--keep-best=2", f"--strategy={strategy}")
    return small(package, *every_step, epochs=EPOCHS)


def start_and_kill(
    words: list[str],
    folder: Path,
    world_size: int,
    chance: random.Random,
) -> None:
    """Start a run, or resume it, and kill all its processes at some moment."""
    done = steps(folder)
    module, *first = words
    arguments = ("--resume", folder) if done else (*first, "--output-dir", folder)
    with started(command(module, *arguments, world_size=world_size)) as process:
        if chance.random() < 0.2:
            # While it starts: it may have no folder yet, or be reading its checkpoint. Not much
            # later: a fast machine would be done with the run.
            kill_at = time.monotonic() + chance.uniform(0, 4)
            while time.monotonic() < kill_at and steps(folder) in ([], done):
                time.sleep(0.005)
        else:
            wait_for_step(process, folder, max(done, default=0) + chance.randint(1, 8))
            time.sleep(chance.uniform(0, 0.04))  # the moment of the kill, not a wait for it
        kill(process)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "world_size", "strategy", "kills"),
    [
        ("digits", 1, "ddp", 5),
        ("tabular", 1, "ddp", 5),
        ("sequence", 1, "ddp", 4),
        ("fourth", 1, "ddp", 5),
        ("fourth", 2, "ddp", 4),
        ("sequence", 2, "fsdp", 3),
    ],
)
def test_a_run_killed_at_random_moments_is_the_undisturbed_one(
    package: str,
    world_size: int,
    strategy: str,
    kills: int,
    tmp_path: Path,
) -> None:
    chance = random.Random(f"{package} {world_size}")
    words = [f"{package}.train", *settings(package, strategy)]
    folder = tmp_path / "killed"
    for _ in range(kills):
        start_and_kill(words, folder, world_size, chance)
    resumed = steps(folder)
    assert resumed
    assert resumed[-1] < EPOCHS * EPOCH[package]

    succeed(command(words[0], "--resume", folder, world_size=world_size))

    whole = tmp_path / "whole"
    succeed(command(*words, "--output-dir", whole, world_size=world_size))
    Result.of(whole, package).expect(Result.of(folder, package))
    best = {path.name for path in (whole / "best").iterdir()}
    assert {path.name for path in (folder / "best").iterdir()} == best
