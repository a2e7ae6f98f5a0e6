"""Runs under torchrun report with one voice, keep out of each other's way, and leave nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
from digits.training.metrics_log import read_epochs

from .running import (
    TIMEOUT,
    command,
    last,
    run,
    small,
    started,
    steps,
    succeed,
    wait_for_step,
    workers,
)

pytestmark = pytest.mark.slow

TRAIN = "fourth.train"


@pytest.mark.parametrize("package", ["digits", "plain"])
def test_two_processes_print_with_one_voice(package: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = small("digits", epochs=3)

    output = succeed(command(f"{package}.train", *settings, "--output-dir", folder, world_size=2))

    lines = output.splitlines()
    assert [line[:9] for line in lines[:3]] == [f"epoch   {number}" for number in (1, 2, 3)]
    assert sum(line.startswith("epoch ") for line in lines) == 3
    assert lines[-2].startswith("test: loss ")
    assert lines[-1] == f"checkpoints, metrics and plots: {folder}"
    assert [record["epoch"] for record in read_epochs(folder / "metrics.jsonl")] == [1, 2, 3]
    assert len(list((folder / "tensorboard").iterdir())) == 1


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


@pytest.mark.skipif(torch.cuda.device_count() != 1, reason="needs a machine with one GPU")
def test_more_processes_than_gpus_are_refused(tmp_path: Path) -> None:
    settings = [*small("digits"), "--device=cuda", "--output-dir", tmp_path / "run"]
    _, _, errors = run(command("digits.train", *settings, world_size=2))

    assert "error: rank 1: There are 1 GPUs for the processes of this machine" in errors
