"""Profiling: real steps of training, their trace and their costliest operators."""

from __future__ import annotations

import contextlib
import gzip
import importlib
import io
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import torch

from .running import SMALL, call
from .test_step import config_of

if TYPE_CHECKING:
    from pathlib import Path

FEW = ("--steps=2", "--warmup=1", "--top=15")


class Profile(NamedTuple):
    """What a run of the command left: events of the trace, and what it printed."""

    events: list[dict[str, Any]]
    output: str


@pytest.fixture(scope="module", params=["digits", "sequence"])
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """Profile two steps of a task."""
    package: str = request.param
    folder, output = tmp_path_factory.mktemp("profile") / "new", io.StringIO()
    arguments = ("--device=cpu", *SMALL[package], "--output-dir", folder, *FEW)
    with contextlib.redirect_stdout(output):
        assert call(f"{package}.profile", *arguments) == 0
    trace = json.loads(gzip.decompress((folder / "trace.json.gz").read_bytes()))
    return Profile(trace["traceEvents"], output.getvalue())


def test_the_trace_holds_the_operators_of_the_steps(finished: Profile) -> None:
    names = [event["name"] for event in finished.events]

    assert {"aten::cross_entropy_loss", "aten::addmm"} <= set(names)
    assert sum(name.startswith("Optimizer.step") for name in names) == 2
    steps = {name for name in names if name.startswith("ProfilerStep")}
    assert steps == {"ProfilerStep#1", "ProfilerStep#2"}


def test_the_tables_name_the_costliest_operators_first(finished: Profile) -> None:
    times, memory = (
        [line.split() for line in table.splitlines()[1:]]
        for table in finished.output.split("\n\n")[1:3]
    )

    for rows in (times, memory):
        assert len(rows) == 15
        costs = [float(row[0]) for row in rows]
        assert costs == sorted(costs, reverse=True)
    assert not any("ProfilerStep" in row[-1] for row in times + memory)
    assert finished.output.startswith("2 training steps of ")
    assert "peak memory: " in finished.output
    assert finished.output.endswith("trace.json.gz\n")


def test_steps_continue_past_the_end_of_an_epoch() -> None:
    trainers, profiles = (
        importlib.import_module(f"tabular.{name}") for name in ("training.trainer", "profile")
    )
    trainer = trainers.Trainer(config_of("tabular", batch_size=120))

    profiles.observe(trainer, steps=3, warmup=2)

    assert trainer.sampler.steps == 2
    assert trainer.step == 5


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--config", "missing.toml"], "Cannot read missing.toml: No such file or directory."),
        (["--steps", 0], "steps must be at least 1; it is 0."),
        (["--warmup", -1], "warmup must be at least 1; it is -1."),
        (["--batch-size", 0], "batch_size must be at least 1; it is 0."),
        (["--output-dir", "/dev/null/here"], "Cannot make the folder /dev/null/here: Not a dir"),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(
    arguments: list[object],
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call("digits.profile", *arguments) == 2

    errors = capsys.readouterr().err
    assert errors.startswith(f"error: {reason}")
    assert errors.count("\n") == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_kernels_of_a_gpu_come_first(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call("digits.profile", "--device", "cuda", "--output-dir", tmp_path, "--steps", 2) == 0

    output = capsys.readouterr().out
    assert output.index("own time on the GPU") < output.index("own time on the CPU")
    assert "peak gpu memory: " in output
