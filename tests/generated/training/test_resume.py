"""Stopped anywhere and resumed, a run is the one that was never stopped, to the last bit."""

from __future__ import annotations

import importlib
import signal
from typing import TYPE_CHECKING, Any

import pytest

from .running import EPOCH, PACKAGES, Result, last, path_of, small, steps, train

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Whole


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute as the programs do that the tests start."""
    torch = importlib.import_module("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def signal_in_step(
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    number: signal.Signals,
    step: int,
) -> None:
    """Let a signal come in the middle of a step, twice, as torchrun passes it on."""
    trainer = importlib.import_module(f"{package}.training.trainer").Trainer
    take_step = trainer._take_step

    def interrupted(self: Any, micro_batches: list[Any]) -> None:
        if self.step + 1 == step:
            signal.raise_signal(number)
            signal.raise_signal(number)
        take_step(self, micro_batches)

    monkeypatch.setattr(trainer, "_take_step", interrupted)


def stop_in_step(
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    step: int,
    *arguments: object,
    number: signal.Signals = signal.SIGTERM,
) -> None:
    """Train until a signal comes in this step."""
    with monkeypatch.context() as patch:
        signal_in_step(patch, package, number, step)
        assert train(package, *arguments) == 128 + number


@pytest.mark.parametrize("package", PACKAGES)
def test_a_signal_stops_after_its_step(
    package: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    whole: Whole,
) -> None:
    expected = whole(package)
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = [signal.getsignal(each) for each in signals]
    folder = tmp_path / "run"
    arguments: tuple[object, ...] = (*small(package), "--output-dir", folder)
    epoch = EPOCH[package]
    # In its first step, in mid-epoch, at an epoch's end and beginning, and in its last step.
    stops = (1, 5, epoch, epoch + 1, 2 * epoch)
    for number, step in zip((*signals, *signals), stops, strict=False):
        capfd.readouterr()
        stop_in_step(monkeypatch, package, step, *arguments, number=number)

        assert capfd.readouterr().err == (
            f"\n{number.name}: stopping after this step.\n"
            f"\nStopped. To resume: python -m {package}.train --resume {folder}\n"
        )
        assert last(folder, package).step == step
        assert [signal.getsignal(each) for each in signals] == handlers
        arguments = ("--resume", folder)

    assert train(package, *arguments) == 0
    expected.expect(Result.of(folder, package))


@pytest.mark.parametrize(
    ("package", "settings"),
    [
        ("digits", ["--grad-accum-steps=2", "--workers=2"]),
        ("digits", ["--precision=bf16", "--log-every=2"]),
        ("digits", ["--precision=fp16", "--activation-checkpointing"]),
        ("tabular", ["--optimizer.max-grad-norm=0.01", "--checkpoint-every=4"]),
        ("tabular", ["--optimizer.name=sgd", "--optimizer.options", "momentum", "0.9"]),
        ("tabular", ["--optimizer.name=torch.optim:Adagrad", "--optimizer.schedule=linear"]),
        ("tabular", ["--optimizer.name=torch.optim:NAdam", "--optimizer.schedule=constant"]),
        ("tabular", ["--optimizer.name=sgd", "--optimizer.max-grad-norm=0"]),
        ("sequence", ["--grad-accum-steps=4", "--activation-checkpointing"]),
        ("fourth", ["--workers=0"]),
        ("fourth", ["--workers=2", "--data.noise.no-numpy", "--grad-accum-steps=2"]),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0].strip("-"),
)
def test_it_is_so_with_other_settings(
    package: str,
    settings: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    whole: Whole,
) -> None:
    folder = tmp_path / "run"
    stop_in_step(monkeypatch, package, 11, *small(package, *settings), "--output-dir", folder)

    assert train(package, "--resume", folder) == 0

    whole(package, *settings).expect(Result.of(folder, package))


def test_workers_change_nothing(whole: Whole) -> None:
    one, none, two = (whole("fourth", *each) for each in ([], ["--workers=0"], ["--workers=2"]))

    none.expect(one)
    two.expect(one)


def test_another_seed_of_the_run_is_another_augmentation(whole: Whole) -> None:
    one, other = whole("fourth"), whole("fourth", "--seed=1")

    assert one.metrics[0]["train_loss"] != other.metrics[0]["train_loss"]


def test_a_corrupt_checkpoint_is_passed_over(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    whole: Whole,
) -> None:
    folder = tmp_path / "run"
    stop_in_step(monkeypatch, "digits", 13, *small("digits"), "--output-dir", folder)
    assert steps(folder) == [9, 13]
    corrupt = path_of(folder, 13)
    corrupt.write_bytes(corrupt.read_bytes()[:-100])
    capsys.readouterr()

    assert train("digits", "--resume", folder) == 0

    assert capsys.readouterr().err == (
        f"warning: {corrupt} is not a checkpoint, or it is corrupt: resuming from "
        f"{path_of(folder, 9)}.\n"
    )
    whole("digits").expect(Result.of(folder))


def test_checkpoints_come_as_often_as_asked_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    folders = importlib.import_module("tabular.checkpoints.folder").CheckpointFolder
    save = folders.save

    def noted(self: Any, checkpoint: Any) -> None:
        save(self, checkpoint)
        seen.append(checkpoint.step)

    monkeypatch.setattr(folders, "save", noted)

    settings = small("tabular", "--checkpoint-every=3")
    assert train("tabular", *settings, "--output-dir", tmp_path / "run") == 0

    assert seen == [0, 3, 6, 9, 12, 15, 18]
    assert steps(tmp_path / "run") == [15, 18]
