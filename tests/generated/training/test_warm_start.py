"""A run that starts from other weights: what fits is taken, and what became of the rest is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from .running import Result, last, load, path_of, small, train
from .test_resume import stop_in_step

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of another run."""
    folder = tmp_path_factory.mktemp("earlier") / "run"
    assert train("tabular", *small("tabular", "--seed=3"), "--output-dir", folder) == 0
    return folder / "best.pt"


def first_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Return the weights that a run started with."""
    weights: dict[str, torch.Tensor] = load("tabular", path_of(folder, 0)).model
    return weights


def start(folder: Path, *settings: str) -> int:
    """Train a single step, so that the checkpoint before it stays."""
    few = ["--limit-batches=1", *settings]
    return train("tabular", *small("tabular", *few, epochs=1), "--output-dir", folder)


@pytest.mark.parametrize("form", ["best.pt", "a checkpoint", "a state dict"])
def test_all_forms_of_weights_are_taken(
    form: str,
    earlier: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    weights = load("tabular", earlier).model
    source = earlier
    if form == "a checkpoint":
        source = path_of(earlier.parent, last(earlier.parent, "tabular").step)
        weights = last(earlier.parent, "tabular").model
    if form == "a state dict":
        source = tmp_path / "plain.pt"
        torch.save(weights, source)

    assert start(tmp_path / "run", f"--init-from={source}") == 0

    first = first_weights(tmp_path / "run")
    assert first.keys() == weights.keys()
    assert all(torch.equal(first[name], weights[name]) for name in weights)
    count = len(weights)
    assert f"{source}: {count} of {count} tensors loaded\n" in capsys.readouterr().out


def test_what_does_not_fit_is_listed(
    earlier: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    weights = dict(load("tabular", earlier).model)
    names = [name for name in weights if name.endswith("weight")]
    kept, reshaped = names[0], names[-1]
    given = {kept: weights[kept], reshaped: torch.zeros(3, 2), "head.weight": torch.zeros(1)}
    torch.save(given, tmp_path / "other.pt")
    assert start(tmp_path / "fresh") == 0

    assert start(tmp_path / "run", f"--init-from={tmp_path / 'other.pt'}") == 0

    lines = capsys.readouterr().out.splitlines()
    assert f"{tmp_path / 'other.pt'}: 1 of {len(weights) + 1} tensors loaded" in lines
    rows = dict(line.split(maxsplit=1) for line in lines if line.startswith("  "))
    shape = tuple(weights[reshaped].shape)
    assert rows[reshaped] == f"(3, 2) in the file, {shape} in the model"
    assert rows["head.weight"] == "not in the model"
    assert kept not in rows
    assert len(rows) == len(weights)
    first, fresh = first_weights(tmp_path / "run"), first_weights(tmp_path / "fresh")
    for name in weights:
        assert torch.equal(first[name], given[kept] if name == kept else fresh[name]), name


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "error: Cannot read {path}: No such file or directory.\n"),
        ({"a": torch.zeros(2)}, "error: init_from: nothing in {path} fits the model by name and "),
        ({"a": 3}, "error: {path} is not a state dict: it holds other things than tensors.\n"),
        ([torch.zeros(2)], "error: {path} is not a checkpoint, or it is corrupt.\n"),
    ],
    ids=["missing", "other names", "other things", "another form"],
)
def test_what_cannot_be_started_from_is_refused(
    content: object,
    complaint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "other.pt"
    if content is not None:
        torch.save(content, path)

    assert start(tmp_path / "run", f"--init-from={path}") == 2

    errors = capsys.readouterr().err
    assert errors.startswith(complaint.format(path=path))
    assert errors.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_needs_them_no_more(
    earlier: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = tmp_path / "source.pt"
    source.write_bytes(earlier.read_bytes())
    settings = small("tabular", f"--init-from={source}")
    assert train("tabular", *settings, "--output-dir", tmp_path / "whole") == 0
    stop_in_step(monkeypatch, "tabular", 5, *settings, "--output-dir", tmp_path / "run")
    source.unlink()
    capsys.readouterr()

    assert train("tabular", "--resume", tmp_path / "run") == 0

    assert "tensors loaded" not in capsys.readouterr().out
    Result.of(tmp_path / "whole", "tabular").expect(Result.of(tmp_path / "run", "tabular"))
