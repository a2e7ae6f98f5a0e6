"""Runs of training in processes of their own, single or under torchrun; none outlives its test."""

import contextlib
import dataclasses
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from digit_classifier.checkpoint import Checkpoint, Weights, load_state
from digit_classifier.checkpoint_folder import STATE, CheckpointFolder
from digit_classifier.metrics import read_metrics

TRAIN = "digit_classifier.train"
EVALUATE = "digit_classifier.evaluate"
TIMEOUT = 600
"""Seconds after which a test that waits has failed; a busy machine needs many to import torch."""
# Small enough for a test, with an epoch of nine steps.
SMALL = (
    "--device=cpu",
    "--epochs=6",
    "--data.batch-size=128",
    "--model.channels=2",
    "--model.hidden-features=4",
)
# What differs from one machine or moment to the next.
MEASURED = {"samples_per_second", "seconds", "peak_memory_mib", "peak_gpu_memory_mib"}


def command(
    world_size: int,
    *arguments: object,
    module: str = TRAIN,
    launcher: Sequence[str] = (),
) -> list[str]:
    """Return the command line of a run with this many processes."""
    words = [sys.executable, "-m"]
    if world_size > 1 or launcher:
        # A free port of the system's choice.
        torchrun = ["torch.distributed.run", "--standalone", f"--nproc-per-node={world_size}"]
        words += [*torchrun, *launcher, "-m"]
    return [*words, module, *map(str, arguments)]


@contextlib.contextmanager
def started(words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Start a command; at the end nothing of it is left, whatever happened."""
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=os.environ
        | {
            "OMP_NUM_THREADS": "1",
            # Without it, a restart after a failure meets the port of the first start.
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        },
    )
    try:
        yield process
    finally:
        kill(process)


def workers(process: subprocess.Popen[str]) -> list[int]:
    """Return the ids of the processes that torchrun started."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if children.exists():
        return [int(child) for child in children.read_text(encoding="ascii").split()]
    listing = ["ps", "-A", "-o", "pid=,ppid="]
    pairs = subprocess.run(listing, capture_output=True, encoding="ascii", check=True).stdout
    lines = (line.split() for line in pairs.splitlines())
    return [int(child) for child, parent in lines if int(parent) == process.pid]


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


def run(words: list[str]) -> tuple[int, str, str]:
    """Run a command to its end; return its status, its output and its errors."""
    with started(words) as process:
        output, errors = process.communicate(timeout=TIMEOUT)
    return process.returncode, output, errors


def succeed(words: list[str]) -> str:
    """Run a command that is to succeed; return what it printed."""
    status, output, errors = run(words)
    assert status == 0, output + errors
    return output


def wait_for_step(process: subprocess.Popen[str], folder: Path, step: int) -> None:
    """Wait until a run has a checkpoint of this step, or a later one."""
    checkpoints = CheckpointFolder(folder)
    deadline = time.monotonic() + TIMEOUT
    while True:
        # Asked first: what a run has left before its end is then there to be seen.
        ended = process.poll() is not None
        if any(done >= step for done in checkpoints.steps()):
            return
        assert not ended, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def last(folder: Path) -> Checkpoint:
    """Read a run's newest checkpoint."""
    checkpoints = CheckpointFolder(folder)
    return load_state(Checkpoint, checkpoints.place(checkpoints.steps()[-1]) / STATE)


@dataclasses.dataclass(frozen=True)
class Result:
    """What must be the same in two runs, to the last bit."""

    checkpoint: dict[str, Any]
    best: dict[str, torch.Tensor]
    metrics: list[dict[str, Any]]

    @classmethod
    def of(cls, folder: Path) -> "Result":
        """Read it from a run's folder."""
        checkpoint = last(folder)
        left_out = {"config", "epoch_seconds", "launches"}
        return cls(
            checkpoint={
                field.name: getattr(checkpoint, field.name)
                for field in dataclasses.fields(checkpoint)
                if field.name not in left_out
            },
            best=load_state(Weights, folder / "best.pt").model,
            metrics=[
                {name: value for name, value in record.items() if name not in MEASURED}
                for record in read_metrics(folder / "metrics.jsonl")
            ],
        )

    def expect(self, other: "Result") -> None:
        """Fail where another result differs in a single bit."""
        for name in ("checkpoint", "best", "metrics"):
            torch.testing.assert_close(
                _tensors(getattr(other, name)),
                _tensors(getattr(self, name)),
                rtol=0,
                atol=0,
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
