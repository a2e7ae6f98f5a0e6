"""The figures of a run: on disk at once, and cut where a run is resumed."""

import re
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from digit_classifier.errors import InputError
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


@pytest.mark.parametrize("line", [b'{"epo', b"", b"\xff", b"3", b"{}", b'{"epoch": "2"}'])
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "metrics.jsonl"
    content = b'{"epoch": 1}\n' + line + b'\n{"epoch": 3}\n'
    path.write_bytes(content)

    complaint = f"Line 2 of {path} is damaged: mend or delete it, and try again."
    with pytest.raises(InputError, match=re.escape(complaint)):
        MetricsLog(tmp_path)

    assert path.read_bytes() == content
