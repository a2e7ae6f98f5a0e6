"""Runs under torchrun: they stop together, restart, resume, and report with one voice."""

from __future__ import annotations

import contextlib
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
    last,
    load,
    run,
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


def test_two_processes_print_with_one_voice(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = small("digits", epochs=3)

    output = succeed(command("digits.train", *settings, "--output-dir", folder, world_size=2))

    lines = output.splitlines()
    assert [line[:9] for line in lines[:3]] == [f"epoch   {number}" for number in (1, 2, 3)]
    assert sum(line.startswith("epoch ") for line in lines) == 3
    assert lines[-2].startswith("test: loss ")
    assert lines[-1] == f"checkpoints, metrics and plots: {folder}"
    assert [record["epoch"] for record in read_epochs(folder / "metrics.jsonl")] == [1, 2, 3]
    assert len(list((folder / "tensorboard").iterdir())) == 1


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


@pytest.mark.skipif(sys.platform != "linux", reason="/proc shows what is left")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_loading_workers_do_not_outlive_the_run(number: signal.Signals, tmp_path: Path) -> None:
    mark = f"mark-{number.value}-{os.getpid()}"
    settings = [*small("fourth", "--workers=2", epochs=500), "--output-dir", tmp_path / "run"]
    with started(command(TRAIN, *settings), TEST_MARK=mark) as process:
        wait_for_step(process, tmp_path / "run", 8)
        assert len(marked(mark)) >= 4  # the run, the server and two workers
        process.send_signal(number)
        process.communicate(timeout=TIMEOUT)
    deadline = time.monotonic() + TIMEOUT
    while marked(mark):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def marked(mark: str) -> list[str]:
    """Return the processes that have the mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["--batch-size", "63"],
            "batch_size must be divisible by the processes times grad_accum_steps, 2 times",
        ),
        (["--epochs", "0"], "epochs must be at least 1; it is 0."),
        (["--resume", "missing"], "missing holds no run that could be resumed."),
        (["--init-from", "missing.pt"], "Cannot read missing.pt: No such file or directory."),
    ],
)
def test_wrong_input_is_reported_once(
    arguments: list[str],
    complaint: str,
    tmp_path: Path,
) -> None:
    words = command("digits.train", *arguments, "--output-dir", tmp_path / "run", world_size=2)
    status, _, errors = run(words)

    assert status == 1
    complaints = [line for line in errors.splitlines() if "error: " in line]
    assert len(complaints) == 1
    assert complaint in complaints[0]
    assert "exitcode  : 2" in errors
    assert not (tmp_path / "run").exists()


def test_a_lost_neighbour_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = small("fourth", "--workers=0", "--checkpoint-every=1", epochs=500)
    with started(command(TRAIN, *settings, "--output-dir", folder, world_size=2)) as process:
        wait_for_step(process, folder, 3)
        torchrun = process.pid
        # Stopped, so that it does not end the other one itself.
        os.kill(torchrun, signal.SIGSTOP)
        other = workers(process)[-1]
        os.kill(other, signal.SIGKILL)
        deadline = time.monotonic() + TIMEOUT
        first = workers(process)[0]
        while _is_running(first):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(torchrun, signal.SIGCONT)
        _, errors = process.communicate(timeout=TIMEOUT)

    assert errors.count("error: another process of this run has ended.") == 1
    # What torchrun then prints of its own has a traceback.
    ours, _, _ = errors.partition("failed (exitcode")
    assert "Traceback" not in ours


def _is_running(pid: int) -> bool:
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"


def test_a_restart_does_not_take_up_somebody_else_s_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = small("tabular", epochs=1)
    succeed(command("tabular.train", *settings, "--output-dir", folder))

    words = [*settings, "--epochs=2", "--output-dir", folder]
    status, _, errors = run(command("tabular.train", *words, launcher=["--max-restarts=1"]))

    assert status == 1
    assert errors.count(f"error: {folder} holds a run") == 2
    assert last(folder, "tabular").epoch == 1


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = small("tabular", epochs=5000)
    with started(command("tabular.train", *settings, "--output-dir", folder)) as process:
        wait_for_step(process, folder, 9)
        status, _, errors = run(command("tabular.train", "--resume", folder))

    assert status == 2
    assert errors.startswith(f"error: Process {process.pid} on ")
    assert errors.endswith(f" is training in {folder}: wait for it, or stop it.\n")


def test_a_terminal_that_goes_away_stops_the_run(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    folder = tmp_path / "run"
    words = command("tabular.train", *small("tabular", epochs=500), "--output-dir", folder)
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(words[0], words)
    # Who looks late finds a later one.
    while not any(step >= 9 for step in steps(folder)):
        os.read(terminal, 10_000)
    os.close(terminal)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 129
    assert last(folder, "tabular").epoch < 500


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


@pytest.mark.skipif(torch.cuda.device_count() != 1, reason="needs a machine with one GPU")
def test_more_processes_than_gpus_are_refused(tmp_path: Path) -> None:
    settings = [*small("digits"), "--device=cuda", "--output-dir", tmp_path / "run"]
    _, _, errors = run(command("digits.train", *settings, world_size=2))

    assert "error: rank 1: There are 1 GPUs for the processes of this machine" in errors
