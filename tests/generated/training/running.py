"""Runs of training in this process, in others or under torchrun; none outlives its test."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from digits.training.metrics_log import read_epochs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TIMEOUT = 600
"""Seconds after which a test that waits has failed; a busy machine needs many to import torch."""
PACKAGES = ("digits", "tabular", "sequence", "fourth")
# By package: settings that are small enough for a test, with a few steps in an epoch.
SMALL = {
    "digits": (
        "--batch-size=128",
        "--model.channels=2",
        "--model.hidden-features=4",
    ),
    "tabular": ("--batch-size=32", "--model.hidden-features=4"),
    "sequence": (
        "--batch-size=32",
        "--limit-batches=9",
        "--model.features=8",
        "--model.num-heads=2",
        "--model.depth=1",
    ),
    "fourth": ("--batch-size=24",),
}
# Steps of the optimizer in an epoch with these settings.
EPOCH = {"digits": 9, "tabular": 9, "sequence": 9, "fourth": 8}
# What differs from one machine or moment to the next.
MEASURED = {"samples_per_second", "seconds", "peak_memory_mib", "peak_gpu_memory_mib"}


def small(package: str, *more: str, epochs: int = 2) -> list[str]:
    """Return the arguments of a small run on the CPU."""
    return ["--device=cpu", f"--epochs={epochs}", *SMALL[package], *more]


def train(package: str, *arguments: object) -> int:
    """Train in this process; return the exit status."""
    return call(f"{package}.train", *arguments)


def call(module: str, *arguments: object) -> int:
    """Run a command's module in this process; return the exit status."""
    main = importlib.import_module(module).main
    package = module.partition(".")[0]
    run_command = importlib.import_module(f"{package}.command").run_command
    status: int = run_command(lambda: main([str(argument) for argument in arguments]))
    return status


def command(
    module: str,
    *arguments: object,
    world_size: int = 1,
    launcher: Sequence[str] = (),
) -> list[str]:
    """Return the command line of a module with this many processes."""
    words = [sys.executable, "-m"]
    if world_size > 1 or launcher:
        # A free port of the system's choice.
        torchrun = ["torch.distributed.run", "--standalone", f"--nproc-per-node={world_size}"]
        words += [*torchrun, *launcher, "-m"]
    return [*words, module, *map(str, arguments)]


@contextlib.contextmanager
def started(words: list[str], **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command; at the end nothing of it is left, whatever happened."""
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        # Without it, a restart after a failure meets the port of the first start.
        env=os.environ | {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"} | variables,
    )
    try:
        yield process
    finally:
        kill(process)


def workers(process: subprocess.Popen[str]) -> list[int]:
    """Return the ids of the processes that torchrun started."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(child) for child in children.read_text(encoding="ascii").split()]


def kill(process: subprocess.Popen[str]) -> None:
    """Kill -9 a command and its workers, which would outlive torchrun."""
    if process.poll() is None:
        # Stopped first, it starts no other workers meanwhile.
        process.send_signal(signal.SIGSTOP)
        doomed = workers(process)
        process.kill()
        for worker in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
    process.communicate()


def run(words: list[str], **variables: str) -> tuple[int, str, str]:
    """Run a command to its end; return its status, its output and its errors."""
    with started(words, **variables) as process:
        output, errors = process.communicate(timeout=TIMEOUT)
    return process.returncode, output, errors


def succeed(words: list[str]) -> str:
    """Run a command that is to succeed; return what it printed."""
    status, output, errors = run(words)
    assert status == 0, output + errors
    return output


def steps(folder: Path) -> list[int]:
    """Return the steps of the checkpoints in a run's folder, oldest first."""
    return sorted(int(path.stem[5:]) for path in folder.glob("checkpoints/step-*.pt"))


def path_of(folder: Path, step: int) -> Path:
    """Return the file of a step's checkpoint."""
    return folder / "checkpoints" / f"step-{step:08}.pt"


def wait_for_step(process: subprocess.Popen[str], folder: Path, step: int) -> None:
    """Wait until a run has a checkpoint of this step, or a later one."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        # Asked first: what a run has left before its end is then there to be seen.
        ended = process.poll() is not None
        if any(done >= step for done in steps(folder)):
            return
        assert not ended, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def load(package: str, path: Path) -> Any:
    """Read a run's weights, or its state, by the package that wrote it."""
    state = importlib.import_module(f"{package}.checkpoints.state")
    is_checkpoint = path.parent.name == "checkpoints"
    return state.load_state(state.Checkpoint if is_checkpoint else state.Weights, path)


def last(folder: Path, package: str = "digits") -> Any:
    """Read a run's latest checkpoint."""
    return load(package, path_of(folder, steps(folder)[-1]))


@dataclasses.dataclass(frozen=True)
class Result:
    """What must be the same in two runs, to the last bit."""

    checkpoint: dict[str, Any]
    best: dict[str, torch.Tensor]
    metrics: list[dict[str, Any]]

    @classmethod
    def of(cls, folder: Path, package: str = "digits") -> Result:
        """Read it from a run's folder."""
        checkpoint = last(folder, package)
        left_out = {"config", "epoch_seconds", "launches"}
        return cls(
            checkpoint={
                field.name: getattr(checkpoint, field.name)
                for field in dataclasses.fields(checkpoint)
                if field.name not in left_out
            },
            best=load(package, folder / "best.pt").model,
            metrics=[
                {name: value for name, value in record.items() if name not in MEASURED}
                for record in read_epochs(folder / "metrics.jsonl")
            ],
        )

    def expect(self, other: Result) -> None:
        """Fail where another result differs in a single bit."""
        for name in ("checkpoint", "best", "metrics"):
            expect_equal(getattr(other, name), getattr(self, name), name)


def expect_equal(actual: Any, expected: Any, name: str) -> None:
    """Fail where two trees of tensors, numbers and texts differ in a single bit."""
    torch.testing.assert_close(
        _tensors(actual),
        _tensors(expected),
        rtol=0,
        atol=0,
        equal_nan=True,
        msg=functools.partial("{}: {}".format, name),
    )


def _tensors(value: Any) -> Any:
    """Make texts and Nones comparable: torch compares numbers and tensors only."""
    if isinstance(value, dict):
        return {str(key): _tensors(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_tensors(each) for each in value]
    if isinstance(value, str) or value is None:
        return torch.tensor(list(json.dumps(value).encode()))
    return value
