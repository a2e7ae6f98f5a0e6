"""Profiling: real steps of training, their trace and their costliest operators."""

import contextlib
import gzip
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from digit_classifier.command import run_command
from digit_classifier.config import DataConfig, ModelConfig, TrainConfig
from digit_classifier.profile import main, observe, parse
from digit_classifier.training import Trainer

SMALL = ["--model.channels", "4", "--model.hidden-features", "8", "--device", "cpu"]


class Profile(NamedTuple):
    """What a run of the command left: events of the trace, and what it printed."""

    events: list[dict[str, Any]]
    output: str


def profile(*arguments: object) -> int:
    """Profile in this process; return the exit status."""
    return run_command(lambda: main([str(argument) for argument in arguments]))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """Profile two steps."""
    folder, output = tmp_path_factory.mktemp("profile") / "new", io.StringIO()
    with contextlib.redirect_stdout(output):
        status = profile(*SMALL, "--output", folder, "--steps", 2, "--warmup", 1, "--top", 15)
    assert status == 0
    trace = json.loads(gzip.decompress((folder / "trace.json.gz").read_bytes()))
    return Profile(trace["traceEvents"], output.getvalue())


def test_the_trace_holds_the_operators_of_the_steps(finished: Profile) -> None:
    names = [event["name"] for event in finished.events]

    assert {"aten::conv2d", "aten::cross_entropy_loss", "aten::native_group_norm"} <= set(names)
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
    assert "aten::convolution_backward" in {row[-1] for row in times}
    assert not any("ProfilerStep" in row[-1] for row in times + memory)


def test_the_output_tells_what_was_profiled_and_where_the_trace_is(finished: Profile) -> None:
    assert finished.output.startswith("2 training steps of 64 images, on cpu\n")
    assert "peak memory: " in finished.output
    assert finished.output.endswith("trace.json.gz\n")


def test_steps_go_on_past_the_end_of_an_epoch() -> None:
    model, data = ModelConfig(channels=4, hidden_features=8), DataConfig(batch_size=500)
    trainer = Trainer(TrainConfig(device="cpu", model=model, data=data))

    observe(trainer, steps=3, warmup=2)

    assert trainer.sampler.steps == 2
    assert trainer.step == 5


def test_the_command_line_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('output = "runs/digits"\nprecision = "bf16"\n[data]\nbatch_size = 32\n')

    settings = parse(["--config", str(file), "--data.batch-size", "16"]).settings

    assert (settings.precision, settings.data.batch_size) == ("bf16", 16)
    # The folder of a run is left to that run.
    assert settings.output == Path("runs/profile")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--steps", 0], "steps must be at least 1; it is 0."),
        (["--warmup", -1], "warmup must be at least 1; it is -1."),
        (["--data.batch-size", 0], "data.batch_size must be at least 1; it is 0."),
        (["--config", "no.toml"], "Cannot read no.toml: No such file or directory."),
        (["--output", "/dev/null/here"], "Cannot make the folder /dev/null/here: Not a directory."),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(
    arguments: list[object],
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert profile(*SMALL, *arguments) == 2

    assert capsys.readouterr().err == f"error: {reason}\n"


def test_an_unknown_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        profile("--step", 3)

    assert stopped.value.code == 2
    assert "--steps" in capsys.readouterr().err


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_kernels_of_a_gpu_come_first(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert profile("--device", "cuda", "--output", tmp_path, "--steps", 2) == 0

    output = capsys.readouterr().out
    assert output.index("own time on the GPU") < output.index("own time on the CPU")
    assert "peak gpu memory: " in output
