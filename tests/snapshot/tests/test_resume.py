"""Stopped anywhere and resumed, a run is the one that was never stopped, to the last bit."""

import dataclasses
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from digit_classifier.checkpoint import Checkpoint
from digit_classifier.checkpoint_folder import STATE, CheckpointFolder
from digit_classifier.command import run_command
from digit_classifier.train import main
from digit_classifier.training import Trainer

from tests.running import (
    SMALL,
    TIMEOUT,
    TRAIN,
    Result,
    command,
    kill,
    last,
    run,
    started,
    succeed,
    wait_for_step,
    workers,
)

STEPS = 54


def train(*arguments: object) -> int:
    """Train in this process; return the exit status."""
    return run_command(lambda: main([str(argument) for argument in arguments]))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A run that nothing stops."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert train(*SMALL, "--output", folder) == 0
    return Result.of(folder)


@pytest.fixture(scope="module")
def whole_of_two(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A run of two processes that nothing stops."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    succeed(command(2, *SMALL, "--output", folder))
    return Result.of(folder)


def signal_in_step(monkeypatch: pytest.MonkeyPatch, number: signal.Signals, step: int) -> None:
    """Let a signal come in the middle of a step."""
    take_step = Trainer._take_step

    def interrupted(trainer: Trainer, micro_batches: list[tuple[torch.Tensor, ...]]) -> None:
        if trainer.step + 1 == step:
            signal.raise_signal(number)
            signal.raise_signal(number)
        take_step(trainer, micro_batches)

    monkeypatch.setattr(Trainer, "_take_step", interrupted)


@pytest.mark.parametrize(
    ("step", "number", "status"),
    [
        (1, signal.SIGINT, 130),
        (5, signal.SIGTERM, 143),
        (9, signal.SIGINT, 130),
        (10, signal.SIGTERM, 143),
        (STEPS, signal.SIGINT, 130),
    ],
)
def test_a_signal_stops_after_its_step(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    whole: Result,
    step: int,
    number: signal.Signals,
    status: int,
) -> None:
    folder = tmp_path / "run"
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patch:
        signal_in_step(patch, number, step)
        assert train(*SMALL, "--output", folder) == status

    assert capfd.readouterr().err == (
        f"\n{number.name}: stopping after this step.\n"
        f"\nStopped. To go on: python -m {TRAIN} --resume {folder}\n"
    )
    assert last(folder).step == step
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert train("--resume", folder) == 0
    whole.expect(Result.of(folder))


def test_a_run_may_be_stopped_many_times(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    whole: Result,
) -> None:
    folder = tmp_path / "run"
    arguments: tuple[object, ...] = (*SMALL, "--output", folder)
    for step in (3, 4, 18, 25, 53):
        with monkeypatch.context() as patch:
            signal_in_step(patch, signal.SIGTERM, step)
            assert train(*arguments) == 143
        arguments = ("--resume", folder)

    assert train(*arguments) == 0
    whole.expect(Result.of(folder))


@pytest.mark.parametrize(
    "settings",
    [
        ["--accumulation=2"],
        ["--precision=bf16"],
        ["--precision=fp16"],
        ["--activation-checkpointing"],
        ["--optimizer.clip-norm=0.01", "--checkpoint-every=4"],
    ],
    ids=lambda settings: settings[0].strip("-"),
)
def test_it_is_so_with_other_settings(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: list[str],
) -> None:
    assert train(*SMALL, *settings, "--epochs=2", "--output", tmp_path / "whole") == 0
    folder = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        signal_in_step(patch, signal.SIGTERM, 11)
        assert train(*SMALL, *settings, "--epochs=2", "--output", folder) == 143

    assert train("--resume", folder) == 0

    Result.of(tmp_path / "whole").expect(Result.of(folder))


def test_a_damaged_checkpoint_is_passed_over(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    whole: Result,
) -> None:
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        signal_in_step(patch, signal.SIGTERM, 22)
        assert train(*SMALL, "--output", folder) == 143
    checkpoints = CheckpointFolder(folder)
    state = checkpoints.place(22) / STATE
    state.write_bytes(state.read_bytes()[:-100])
    capsys.readouterr()

    assert train("--resume", folder) == 0

    warning = f"warning: {checkpoints.place(22)} is damaged: going on from {checkpoints.place(18)}."
    assert capsys.readouterr().err == f"{warning}\n"
    whole.expect(Result.of(folder))


def test_checkpoints_come_as_often_as_asked_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    finish = CheckpointFolder.finish

    def noted(folder: CheckpointFolder, partial: Path) -> None:
        finish(folder, partial)
        seen.append(folder.steps()[-1])

    monkeypatch.setattr(CheckpointFolder, "finish", noted)

    assert train(*SMALL, "--epochs=2", "--checkpoint-every=3", "--output", tmp_path / "run") == 0

    assert seen == [0, 3, 6, 9, 12, 15, 18]


def test_another_number_of_processes_goes_on_and_says_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        signal_in_step(patch, signal.SIGTERM, 22)
        patch.setattr(Trainer, "checkpoint", of_two_processes(Trainer.checkpoint))
        assert train(*SMALL, "--output", folder) == 143

    assert train("--resume", folder) == 0

    assert "Processes: 1, before 2." in capsys.readouterr().out
    assert last(folder).epoch == 6


def of_two_processes(
    checkpoint: Callable[[Trainer], Checkpoint],
) -> Callable[[Trainer], Checkpoint]:
    """Let a checkpoint look like that of two processes."""

    def doubled(trainer: Trainer) -> Checkpoint:
        kept = checkpoint(trainer)
        return dataclasses.replace(kept, ranks=kept.ranks * 2)

    return doubled


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there are no hangups here")
def test_a_terminal_that_goes_away_stops_the_run(tmp_path: Path, whole: Result) -> None:
    pty = pytest.importorskip("pty")
    folder = tmp_path / "run"
    words = command(1, *SMALL, "--output", folder)
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(words[0], words)
    # Who looks late finds a later one.
    while not any(step >= 9 for step in CheckpointFolder(folder).steps()):
        os.read(terminal, 10_000)
    os.close(terminal)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 129
    succeed(command(1, "--resume", folder))
    whole.expect(Result.of(folder))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "number"),
    [("ddp", signal.SIGTERM), ("ddp", signal.SIGINT), ("fsdp", signal.SIGTERM)],
)
def test_two_processes_stop_together(
    tmp_path: Path,
    whole_of_two: Result,
    strategy: str,
    number: signal.Signals,
) -> None:
    folder = tmp_path / "run"
    settings = [*SMALL, f"--strategy={strategy}"]
    with started(command(2, *settings, "--output", folder)) as process:
        wait_for_step(process, folder, 9)
        process.send_signal(number)
        _, errors = process.communicate(timeout=TIMEOUT)

    assert process.returncode == 1
    way_on = f"torchrun --nproc-per-node 2 -m {TRAIN} --resume {folder}"
    assert errors.count("Stopped. To go on: ") == 1
    assert way_on in errors
    assert last(folder).step < STEPS
    succeed(command(2, "--resume", folder))
    if strategy == "ddp":
        whole_of_two.expect(Result.of(folder))
    else:
        succeed(command(2, *settings, "--output", tmp_path / "whole"))
        Result.of(tmp_path / "whole").expect(Result.of(folder))


@pytest.mark.slow
@pytest.mark.parametrize("world_size", [1, 2])
def test_a_killed_run_is_done_again_from_its_last_checkpoint(
    tmp_path: Path,
    whole: Result,
    whole_of_two: Result,
    world_size: int,
) -> None:
    folder = tmp_path / "run"
    chance = random.Random(world_size)
    arguments: tuple[object, ...] = (*SMALL, "--checkpoint-every=4", "--output", folder)
    for step in (9, 30):
        with started(command(world_size, *arguments)) as process:
            wait_for_step(process, folder, step)
            time.sleep(chance.uniform(0, 0.05))  # the moment of the kill, not a wait for it
            kill(process)
        arguments = ("--resume", folder)

    succeed(command(world_size, *arguments))

    (whole if world_size == 1 else whole_of_two).expect(Result.of(folder))


@pytest.mark.slow
def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="no locks here")
    folder = tmp_path / "run"
    with started(command(1, *SMALL, "--epochs=500", "--output", folder)) as process:
        wait_for_step(process, folder, 9)
        status, _, errors = run(command(1, "--resume", folder))

    assert status == 2
    assert errors.startswith(f"error: Process {process.pid} on ")
    assert errors.endswith(f" trains in {folder}: wait for it, or stop it.\n")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of torchrun's death")
def test_workers_do_not_outlive_torchrun(tmp_path: Path, whole_of_two: Result) -> None:
    folder = tmp_path / "run"
    with started(command(2, *SMALL, "--output", folder)) as process:
        wait_for_step(process, folder, 9)
        orphans = workers(process)
        process.kill()
        # Their outputs end when the last of them does.
        _, errors = process.communicate(timeout=TIMEOUT)

    assert len(orphans) == 2
    assert errors.count("Stopped. To go on: ") == 1
    succeed(command(2, "--resume", folder))
    whole_of_two.expect(Result.of(folder))
