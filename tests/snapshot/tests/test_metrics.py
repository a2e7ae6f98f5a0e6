"""The figures of a run: on disk at once, and cut where a run is resumed."""

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from digit_classifier.metrics import MetricsLog, read_metrics


def test_an_epoch_is_on_disk_before_the_log_is_closed(tmp_path: Path) -> None:
    with MetricsLog(tmp_path) as log:
        log.log({"epoch": 1, "train_loss": 0.5})
        assert read_metrics(tmp_path / "metrics.jsonl") == [{"epoch": 1, "train_loss": 0.5}]


def test_tensorboard_has_the_same_figures(tmp_path: Path) -> None:
    with MetricsLog(tmp_path) as log:
        log.log({"epoch": 1, "train_loss": 0.5})
        log.log({"epoch": 2, "train_loss": 0.25})

    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    scalars = events.Scalars("train_loss")
    assert [(scalar.step, scalar.value) for scalar in scalars] == [(1, 0.5), (2, 0.25)]


def test_a_resumed_log_drops_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    with MetricsLog(tmp_path) as log:
        for epoch in (1, 2, 3):
            log.log({"epoch": epoch, "train_loss": 1.0})

    with MetricsLog(tmp_path, epochs_done=1) as log:
        log.log({"epoch": 2, "train_loss": 0.5})

    records = read_metrics(tmp_path / "metrics.jsonl")
    assert [(record["epoch"], record["train_loss"]) for record in records] == [(1, 1.0), (2, 0.5)]


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"epoch": 1}\n{"epo', encoding="utf-8")

    assert read_metrics(path) == [{"epoch": 1}]
