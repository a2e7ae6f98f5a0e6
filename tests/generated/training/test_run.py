"""The second day: early stopping, several best epochs, figures of steps, looks at a few batches."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from .running import PACKAGES, Result, last, load, path_of, small, steps, train
from .test_resume import stop_in_step
from .test_step import config_of

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Whole


def records_of(folder: Path) -> list[dict[str, Any]]:
    """Read all figures of a run."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def epochs_of(folder: Path) -> list[dict[str, Any]]:
    """Read the figures of its epochs."""
    return [record for record in records_of(folder) if "epoch" in record]


@pytest.mark.parametrize(
    ("package", "metric", "sign"),
    [
        ("digits", "accuracy", -1),
        ("tabular", "rmse", 1),
        ("sequence", "perplexity", 1),
        ("fourth", "error", 1),
    ],
)
def test_a_run_keeps_the_best_epoch_by_the_task_s_metric(
    package: str,
    metric: str,
    sign: int,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "run"
    settings = small(package, epochs=3)

    assert train(package, *settings, "--output-dir", folder) == 0

    printed = capfd.readouterr()
    records = epochs_of(folder)
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert records[-1]["train_loss"] < records[0]["train_loss"]
    assert records[-1]["step"] == last(folder, package).step
    figures = [record[f"validation_{metric}"] for record in records]
    best = min(range(3), key=lambda number: sign * figures[number])
    kept = load(package, folder / "best.pt")
    assert kept.epoch == best + 1
    assert kept.metrics[metric] == figures[best]
    assert (folder / "losses.png").read_bytes().startswith(b"\x89PNG")
    assert not (folder / "best").exists()
    # Nobody watches: no bar is drawn.
    assert printed.err == ""
    lines = printed.out.splitlines()
    assert [line[:11] for line in lines[:3]] == [f"epoch   {each}/3" for each in (1, 2, 3)]
    assert lines[-2].startswith("test: loss ")
    assert f"{metric} " in lines[-2]
    assert lines[-1] == f"checkpoints, metrics and plots: {folder}"


def test_tensorboard_has_the_figures_of_metrics_jsonl(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert train("tabular", *small("tabular", "--log-every=4"), "--output-dir", folder) == 0
    # An epoch is done again, and what was written of it before does not show.
    path_of(folder, 18).unlink()
    assert train("tabular", "--resume", folder) == 0
    assert len(list((folder / "tensorboard").iterdir())) == 2

    events = EventAccumulator(str(folder / "tensorboard")).Reload()

    for name, of_epochs in (("loss", False), ("validation_rmse", True)):
        figures = [
            (record["step"], record[name])
            for record in records_of(folder)
            if ("epoch" in record) is of_epochs
        ]
        assert len(figures) > 1
        seen = [(scalar.step, scalar.value) for scalar in events.Scalars(name)]
        assert seen == [(step, pytest.approx(value, rel=1e-6)) for step, value in figures]


def test_figures_of_steps_add_up_to_the_epoch_s(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, stopped = tmp_path / "run", tmp_path / "stopped"
    settings = small("tabular", "--log-every=3", "--checkpoint-every=2")
    assert train("tabular", *settings, "--output-dir", folder) == 0

    stop_in_step(monkeypatch, "tabular", 5, *settings, "--output-dir", stopped)
    assert train("tabular", "--resume", stopped) == 0

    records = records_of(folder)
    of_steps = [record for record in records if "epoch" not in record]
    assert [record["step"] for record in of_steps] == [3, 6, 9, 12, 15, 18]
    assert all(record["learning_rate"] > 0 for record in of_steps)
    # All batches are of the same size, so the mean of their means is the mean.
    first = sum(record["loss"] for record in of_steps[:3]) / 3
    assert first == pytest.approx(epochs_of(folder)[0]["train_loss"], rel=1e-5)
    assert of_steps == [record for record in records_of(stopped) if "epoch" not in record]


def test_a_run_stops_early_and_tests_its_best_epoch(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # At this rate nothing gets better for long.
    settings = small(
        "tabular", "--patience=2", "--optimizer.learning-rate=0.3", "--keep-best=2", epochs=60
    )
    folder, stopped = tmp_path / "run", tmp_path / "stopped"

    assert train("tabular", *settings, "--output-dir", folder) == 0
    stop_in_step(monkeypatch, "tabular", 12, *settings, "--output-dir", stopped)
    assert train("tabular", "--resume", stopped) == 0

    errors = [record["validation_rmse"] for record in epochs_of(folder)]
    best = 1 + errors.index(min(errors))
    assert len(errors) == best + 2 < 60
    assert load("tabular", folder / "best.pt").epoch == best
    Result.of(folder, "tabular").expect(Result.of(stopped, "tabular"))
    # A finished run stays finished, and more patience is more epochs.
    assert train("tabular", "--resume", folder) == 0
    assert len(epochs_of(folder)) == len(errors)
    assert train("tabular", "--resume", folder, "--patience=3") == 0
    assert len(epochs_of(folder)) > len(errors)


def test_several_best_epochs_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    settings = small("digits", "--keep-best=3", epochs=6)
    stop_in_step(monkeypatch, "digits", 41, *settings, "--output-dir", folder)
    assert train("digits", "--resume", folder) == 0

    ranked = sorted(
        (-record["validation_accuracy"], record["epoch"]) for record in epochs_of(folder)
    )
    wanted = [epoch for _, epoch in ranked[:3]]
    names = {path.name for path in (folder / "best").iterdir()}
    assert names == {f"epoch-{epoch:04}.pt" for epoch in wanted}
    for epoch in wanted:
        kept = load("digits", folder / "best" / f"epoch-{epoch:04}.pt")
        assert (kept.epoch, kept.config.keep_best) == (epoch, 3)
    best, first = (
        load("digits", path)
        for path in (folder / "best.pt", folder / "best" / f"epoch-{wanted[0]:04}.pt")
    )
    assert best.epoch == first.epoch
    assert all(torch.equal(best.model[name], first.model[name]) for name in first.model)


def test_a_few_batches_for_a_quick_look(tmp_path: Path) -> None:
    folder = tmp_path / "run"

    assert train("digits", *small("digits", "--limit-batches=2"), "--output-dir", folder) == 0

    assert [record["step"] for record in epochs_of(folder)] == [2, 4]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_few_batches_can_be_learned_by_heart(package: str) -> None:
    trainers = importlib.import_module(f"{package}.training.trainer")
    model: dict[str, Any] = {
        "digits": {"dropout": 0.0},
        "tabular": {"dropout": 0.0},
        "sequence": {"features": 32, "num_heads": 2, "depth": 1},
        "fourth": {"widths": [32], "dropouts": [0.0]},
    }[package]
    values = {"data": {"noise": {"scale": 0.0}}} if package == "fourth" else {}
    optimizer = {"learning_rate": 0.01, "weight_decay": 0.0}
    config = config_of(
        package,
        epochs=250,
        batch_size=4,
        overfit_batches=1,
        optimizer=optimizer,
        model=model,
        **values,
    )

    trainer = trainers.Trainer(config)
    losses = []
    for _ in range(config.epochs):
        list(trainer.steps())
        losses.append(trainer.finish_epoch()[0])

    assert trainer.step == 250
    # The first character of each text cannot be foreseen.
    enough = 0.05 if package == "sequence" else 0.02
    assert losses[-1] < enough < losses[0]
    # What it is validated and tested on are the same samples.
    assert trainer.validate().loss == trainer.test().loss < enough


def test_the_seed_decides_the_weights(whole: Whole) -> None:
    first, other = whole("digits").best, whole("digits", "--seed=1").best

    assert not any(
        torch.equal(first[name], other[name]) for name in first if name.endswith("weight")
    )


def test_a_finished_run_can_be_given_more_epochs(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert train("digits", *small("digits", epochs=1), "--output-dir", folder) == 0
    moved = folder.rename(tmp_path / "moved")

    assert train("digits", "--resume", moved, "--epochs", 2, "--log-every", 1) == 0

    assert (last(moved).epoch, steps(moved)) == (2, [9, 18])
    # Not the end of the old course, where the rate is zero.
    assert all(record["learning_rate"] > 0 for record in records_of(moved)[:-1])
    assert not folder.exists()


def test_a_loss_that_explodes_ends_the_run(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "run"
    settings = small("digits", "--optimizer.learning-rate=1e30", epochs=3)

    assert train("digits", *settings, "--output-dir", folder) == 2

    assert "smaller --optimizer.learning-rate" in capsys.readouterr().err
    assert all(value.isfinite().all() for value in last(folder).model.values())
