"""Evaluation by its command: what it prints and draws, and what it refuses."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch

from .running import call, command, load, path_of, run, small, succeed, train

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch; not to be changed."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert train("digits", *small("digits", epochs=1), "--output-dir", folder) == 0
    return folder


@pytest.mark.slow
def test_errors_of_the_machine_end_with_1(finished: Path) -> None:
    output = succeed(command("digits.evaluate", "--checkpoint", finished / "best.pt"))

    assert output.endswith("\n")
    full = f"{sys.executable} -m digits.evaluate --checkpoint {finished / 'best.pt'} >/dev/full"
    status, _, errors = run(["bash", "-c", full])
    assert (status, errors) == (1, "error: No space left on device\n")


def test_evaluation_prints_what_the_run_found(
    finished: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    capsys.readouterr()
    assert train("digits", "--resume", finished) == 0
    ours = capsys.readouterr().out
    confusion = finished / "confusion.png"
    confusion.unlink()

    assert call("digits.evaluate", "--checkpoint", finished / "best.pt", "--device=cpu") == 0

    theirs = capsys.readouterr().out
    assert theirs.startswith(f"{finished / 'best.pt'}, after epoch 1\ntest loss: ")
    assert theirs.endswith("\n")
    accuracy = ours.rpartition("accuracy ")[2].split()[0]
    figure = theirs.partition("test accuracy: ")[2].split()[0]
    assert float(accuracy) == pytest.approx(float(figure), abs=1e-4)
    assert confusion.read_bytes().startswith(b"\x89PNG")


def test_figures_are_printed_even_where_no_picture_can_be(
    tmp_path: Path,
    finished: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "best.pt").write_bytes((finished / "best.pt").read_bytes())
    (tmp_path / "confusion.png").mkdir()

    assert call("digits.evaluate", "--checkpoint", tmp_path / "best.pt") == 2

    printed = capsys.readouterr()
    assert "test accuracy: " in printed.out
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("what", ["missing", "a checkpoint", "another model", "a folder"])
def test_what_cannot_be_evaluated_is_refused(
    what: str,
    finished: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "best.pt"
    complaint: Any = f"Cannot read {path}: No such file or directory."
    if what == "a checkpoint":
        path = path_of(finished, 9)
        complaint = f"{path} is a state to resume a run from; use its best.pt here."
    if what == "another model":
        state = importlib.import_module("digits.checkpoints.state")
        whole = load("digits", finished / "best.pt")
        model = {name: torch.zeros(1) for name in whole.model}
        state.save_state(dataclasses.replace(whole, model=model), path)
        complaint = f"{path} holds another model than build_model in task/model.py builds now."
    if what == "a folder":
        path = tmp_path
        complaint = f"Cannot read {path}: Is a directory."

    assert call("digits.evaluate", "--checkpoint", path) == 2

    assert capsys.readouterr().err == f"error: {complaint}\n"
