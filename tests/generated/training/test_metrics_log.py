"""The figures of a run: on disk at once, and cut where a run is resumed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from digits.command import InputError
from digits.training.metrics_log import _read, read_epochs
from digits.training.plots import plot_losses

if TYPE_CHECKING:
    from pathlib import Path


def written(path: Path, *records: dict[str, Any]) -> Path:
    """Write records as JSON lines."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_a_line_that_was_cut_off_and_figures_of_steps_are_no_epochs(tmp_path: Path) -> None:
    path = written(tmp_path / "metrics.jsonl", {"step": 3, "loss": 1.0}, {"epoch": 1, "step": 9})
    path.write_text(path.read_text(encoding="utf-8") + '{"epoch": 2, "st', encoding="utf-8")

    assert read_epochs(path) == [{"epoch": 1, "step": 9}]
    assert read_epochs(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize("line", [b'{"epo', b"", b"\xff", b"3", b"{}", b'{"step": "2"}'])
def test_a_corrupt_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n' + line + b'\n{"step": 3}\n')

    complaint = f"Line 2 of {path} is corrupt: fix or delete it, and try again."
    with pytest.raises(InputError, match=re.escape(complaint)):
        _read(path)


@pytest.mark.parametrize("losses", [[0.5], [0.5, 0.02], [0.5, -0.1], [0.5, 0.0, 1e-7]])
def test_losses_of_any_sort_are_drawn(losses: list[float], tmp_path: Path) -> None:
    records = [
        {"epoch": number, "step": number, "train_loss": loss, "validation_loss": loss}
        for number, loss in enumerate(losses, start=1)
    ]

    plot_losses(records, tmp_path / "losses.png")

    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["losses.png"]
