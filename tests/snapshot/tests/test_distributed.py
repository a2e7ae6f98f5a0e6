"""Several processes: the same result as one, spoken by one voice, and gone at the end."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed import distributed_c10d

from digit_classifier.checkpoint import Weights, load_state
from digit_classifier.distributed import (
    ALONE,
    Processes,
    _tell_in_turn,
    launched_processes,
)
from digit_classifier.errors import InputError
from digit_classifier.metrics import read_metrics

from tests.running import (
    EVALUATE,
    SMALL,
    TIMEOUT,
    Result,
    command,
    last,
    run,
    started,
    succeed,
    wait_for_step,
    workers,
)


def plain(
    folder: Path,
    world_size: int,
    *,
    norm: bool = False,
    **settings: Any,
) -> Any:
    """Train a model without dropout; return its losses, weights, buffers and predictions."""
    result = folder / f"{len(list(folder.iterdir()))}.pt"
    values = {"epochs": 2, "device": "cpu", "model": {"hidden_features": 8}} | settings
    arguments = [json.dumps(values), result, *["norm"] * norm]
    succeed(command(world_size, *arguments, module="tests.plain_training"))
    return torch.load(result, weights_only=True)


def expect_close(actual: Any, expected: Any) -> None:
    """Compare two results up to the order of additions."""
    torch.testing.assert_close(actual["losses"], expected["losses"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(actual["weights"], expected["weights"], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(actual["loss"], expected["loss"], rtol=1e-4, atol=1e-5)
    assert torch.equal(actual["labels"], expected["labels"])
    agreed = (actual["predictions"] == expected["predictions"]).double().mean()
    assert agreed > 0.99


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)

    with launched_processes() as processes:
        assert processes == ALONE
        assert not torch.distributed.is_initialized()
        assert processes.gather(3) == [3]
        assert processes.highest(3) == 3
        assert processes.from_zero(lambda: 3) == 3
        assert processes.together(lambda: 3) == 3


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, ""),
        (torch.distributed.DistNetworkError("broken pipe"), ""),
        (torch.distributed.DistStoreError("wait timeout"), "error: there is no file.\n"),
    ],
)
def test_another_rank_tells_what_rank_zero_does_not_know(
    answer: Exception | None,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Store:
        """Rank zero has told it, has told it and ended, or says nothing."""

        def wait(self, *_: object) -> None:
            if answer:
                raise answer

    monkeypatch.setattr(distributed_c10d, "_get_default_store", Store)

    status = _tell_in_turn(InputError("there is no file."), Processes(rank=1, world_size=2))

    assert (status, capfd.readouterr().err) == (2, told)


def test_two_processes_and_micro_steps_train_like_one(tmp_path: Path) -> None:
    one = plain(tmp_path, 1)

    expect_close(plain(tmp_path, 2, accumulation=2), one)


@pytest.mark.slow
def test_one_process_takes_micro_steps(tmp_path: Path) -> None:
    expect_close(plain(tmp_path, 1, accumulation=4), plain(tmp_path, 1))


@pytest.mark.slow
@pytest.mark.parametrize("clip_norm", [0.01, 0.0])
def test_sharded_processes_train_like_one(tmp_path: Path, clip_norm: float) -> None:
    settings: dict[str, Any] = {"optimizer": {"clip_norm": clip_norm}}
    one = plain(tmp_path, 1, **settings)

    expect_close(plain(tmp_path, 2, strategy="fsdp", accumulation=2, **settings), one)


@pytest.mark.slow
def test_clipping_is_of_the_whole_gradient(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"optimizer": {"clip_norm": 0.01}}
    one = plain(tmp_path, 1, **settings)

    expect_close(plain(tmp_path, 2, accumulation=2, **settings), one)
    assert one["losses"] != plain(tmp_path, 1)["losses"]


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_every_gpu_has_its_process(tmp_path: Path, strategy: str) -> None:
    gpus = torch.cuda.device_count()
    settings: dict[str, Any] = {"device": "cuda", "data": {"batch_size": 16 * gpus}}
    one = plain(tmp_path, 1, **settings)

    expect_close(plain(tmp_path, gpus, strategy=strategy, **settings), one)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_running_statistics_are_the_same_everywhere(tmp_path: Path, strategy: str) -> None:
    settings: dict[str, Any] = {"strategy": strategy, "activation_checkpointing": True}

    two = plain(tmp_path, 2, norm=True, **settings)

    first, second = two["buffers"]
    assert len(first) == 3
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)
    # Two epochs of eighteen steps, each counted once.
    assert first[-1] == 36


@pytest.mark.slow
def test_rank_zero_speaks_for_all(tmp_path: Path) -> None:
    output = succeed(command(2, *SMALL, "--output", tmp_path / "run"))

    lines = output.splitlines()
    assert [line[:9] for line in lines[:6]] == [f"epoch   {number}" for number in range(1, 7)]
    assert lines[6].startswith("test accuracy ")
    assert lines[7] == f"checkpoints, metrics and plots: {tmp_path / 'run'}"
    assert len(lines) == 8
    records = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert [record["epoch"] for record in records] == [1, 2, 3, 4, 5, 6]
    assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["--data.batch-size", "63"],
            "data.batch_size must divide by processes times micro-steps, 2 times 1;",
        ),
        (["--resume", "missing"], "missing holds no run that could be gone on with."),
    ],
)
def test_wrong_input_is_told_once(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    status, _, errors = run(command(2, *arguments, "--output", tmp_path / "run"))

    assert status != 0
    complaints = [line for line in errors.splitlines() if "error: " in line]
    assert len(complaints) == 1
    assert complaint in complaints[0]
    assert "exitcode  : 2" in errors


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.device_count() != 1, reason="needs a machine with one GPU")
def test_more_processes_than_gpus_are_refused(tmp_path: Path) -> None:
    _, _, errors = run(command(2, *SMALL, "--device=cuda", "--output", tmp_path / "run"))

    assert "error: rank 1: There are 1 GPUs for the processes of this machine" in errors


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_killed_worker_is_restarted_and_the_run_goes_on(tmp_path: Path, strategy: str) -> None:
    settings = [*SMALL, f"--strategy={strategy}", "--checkpoint-every=2"]
    folder = tmp_path / "killed"
    words = command(2, *settings, "--output", folder, launcher=["--max-restarts=2"])
    with started(words) as process:
        wait_for_step(process, folder, 12)
        os.kill(workers(process)[-1], signal.SIGKILL)
        output, errors = process.communicate(timeout=TIMEOUT)

    assert process.returncode == 0, errors
    assert "Restarted: going on from " in output
    succeed(command(2, *settings, "--output", tmp_path / "whole"))
    Result.of(tmp_path / "whole").expect(Result.of(folder))


@pytest.mark.slow
def test_a_restart_does_not_take_up_somebody_else_s_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    succeed(command(1, *SMALL, "--epochs=1", "--output", folder))

    words = command(1, *SMALL, "--epochs=2", "--output", folder, launcher=["--max-restarts=1"])
    status, _, errors = run(words)

    assert status == 1
    assert errors.count(f"error: {folder} holds a run") == 2
    assert last(folder).epoch == 1


@pytest.mark.slow
def test_sharded_weights_are_kept_and_evaluated_whole(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    succeed(command(2, *SMALL, "--strategy=fsdp", "--output", folder))

    output = succeed(command(1, "--checkpoint", folder / "best.pt", module=EVALUATE))

    best = load_state(Weights, folder / "best.pt")
    assert f"after epoch {best.epoch}" in output
    assert all(type(value) is torch.Tensor for value in best.model.values())
    files = {path.name for path in (folder / "checkpoints" / "step-00000054").rglob("*.distcp")}
    assert files == {"__0_0.distcp", "__1_0.distcp"}


@pytest.mark.slow
def test_a_sharded_run_is_the_replicated_one(tmp_path: Path) -> None:
    settings = [*SMALL, "--model.dropout=0"]
    for strategy in ("ddp", "fsdp"):
        words = command(2, *settings, f"--strategy={strategy}", "--output", tmp_path / strategy)
        succeed(words)

    replicated = read_metrics(tmp_path / "ddp" / "metrics.jsonl")
    sharded = read_metrics(tmp_path / "fsdp" / "metrics.jsonl")
    for first, second in zip(replicated, sharded, strict=True):
        assert second["train_loss"] == pytest.approx(first["train_loss"], rel=1e-4)
        assert second["learning_rate"] == first["learning_rate"]


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_a_sharded_run_goes_on_in_another_number_of_processes(
    tmp_path: Path, before: int, after: int
) -> None:
    settings = [*SMALL, "--strategy=fsdp", "--model.dropout=0", "--epochs=2"]
    words = command(before, *settings, "--output", tmp_path / "run", launcher=["--max-restarts=0"])
    succeed(words)
    resume = ("--resume", tmp_path / "run", "--epochs=4")

    output = succeed(command(after, *resume, launcher=["--max-restarts=0"]))

    assert f"Processes: {after}, before {before}." in output
    losses = [record["train_loss"] for record in read_metrics(tmp_path / "run" / "metrics.jsonl")]
    assert len(losses) == 4
    assert losses[3] < losses[1]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_run_of_another_model_is_refused(tmp_path: Path, strategy: str) -> None:
    folder = tmp_path / "run"
    words = command(2, *SMALL, f"--strategy={strategy}", "--epochs=1", "--output", folder)
    succeed(words)

    words = command(2, "--resume", folder, "--epochs=2", module="tests.other_model")
    status, _, errors = run(words)

    assert status == 1
    assert errors.count(" holds another model than src/") == 1
    assert "exitcode  : 2" in errors
    assert f"{folder}/checkpoints" in errors
