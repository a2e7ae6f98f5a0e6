"""The training loop of the minimal profile: one file, and no traceback for what a user gives."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import torch
from torch.utils.data import DataLoader

from .running import train

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = "minimal_digits"
SMALL = ("--model.channels=2", "--model.hidden-features=4", "--batch-size=128")


@pytest.fixture(scope="module")
def run_of_an_epoch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of one epoch; not to be changed."""
    folder = tmp_path_factory.mktemp("minimal") / "run"
    assert train(PACKAGE, *SMALL, "--epochs=1", "--output-dir", folder) == 0
    return folder


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--epochs", "0"], "epochs must be a number above 0; it is 0."),
        (["--weight-decay", "-1"], "weight_decay must be at least 0; it is -1.0."),
        (["--learning-rate", "inf"], "learning_rate must be a number above 0; it is inf."),
        (["--model.channels", "0"], "model.channels must be at least 1; it is 0."),
        (["--model.dropout", "3"], "model.dropout must be between 0 and 1; it is 3.0."),
        (
            ["--data.split-seed", "-1"],
            "data.split_seed must be between 0 and 4294967295; it is -1.",
        ),
        (["--model.hidden-features", str(10**15)], "The task does not take these settings: "),
        (["--device", "meta"], "The device 'meta' cannot be used; cpu can."),
        (["--device", "toaster"], "The device 'toaster' cannot be used; cpu can."),
        (["--batch-size", "9999"], "batch_size must be at most the number of training samples"),
        (["--resume"], "run/last.pt is not there: leave out --resume."),
    ],
)
def test_wrong_input_gets_one_sentence_and_nothing_is_written(
    arguments: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    assert train(PACKAGE, "--output-dir", "run", *arguments) == 2

    errors = capsys.readouterr().err
    assert errors.startswith(f"error: {complaint}")
    assert errors.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_an_output_that_is_a_file_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")

    for folder, complaint in ((file, "File exists"), (file / "run", "Not a directory")):
        assert train(PACKAGE, *SMALL, "--output-dir", folder) == 2
        assert capsys.readouterr().err == f"error: {complaint}: {folder}\n"

    assert file.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (["--model.channels", "8"], "error: model must be ModelConfig(channels=2, "),
        (["--data.split-seed", "3"], "error: data must be DataConfig(val_fraction=0.15, "),
        (["--seed", "3"], "error: seed must be 0, as before; it is 3."),
    ],
)
def test_a_resumed_run_keeps_its_settings(
    changed: list[str],
    complaint: str,
    run_of_an_epoch: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = (run_of_an_epoch / "last.pt").read_bytes()
    resume = [*SMALL, "--resume", "--output-dir", run_of_an_epoch]

    assert train(PACKAGE, *resume, *changed) == 2

    errors = capsys.readouterr().err
    assert errors.startswith(complaint)
    assert errors.count("\n") == 1
    assert (run_of_an_epoch / "last.pt").read_bytes() == before


def test_a_run_can_be_moved_and_given_more_epochs(
    run_of_an_epoch: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    moved = shutil.copytree(run_of_an_epoch, tmp_path / "moved")

    assert train(PACKAGE, *SMALL, "--resume", "--epochs=2", "--output-dir", moved) == 0

    output = capsys.readouterr().out
    assert output.startswith("epoch   2/2  train loss ")
    assert torch.load(moved / "last.pt")["epoch"] == 2


@pytest.mark.parametrize("name", ["last.pt", "best.pt"])
@pytest.mark.parametrize("kept", [0, 3000])
def test_a_truncated_checkpoint_is_refused(
    name: str,
    kept: int,
    run_of_an_epoch: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = shutil.copytree(run_of_an_epoch, tmp_path / "run")
    (folder / name).write_bytes((folder / name).read_bytes()[:kept])

    assert train(PACKAGE, *SMALL, "--epochs=1", "--resume", "--output-dir", folder) == 2

    complaint = f"{folder / name} is corrupt, or of another model: start a new run."
    assert capsys.readouterr().err == f"error: {complaint}\n"


def test_several_processes_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")

    assert train(PACKAGE, *SMALL, "--output-dir", tmp_path / "run") == 2

    complaint = "error: WORLD_SIZE must be 1: start this training without torchrun; it is 2.\n"
    assert capsys.readouterr().err == complaint
    assert not (tmp_path / "run").exists()


def test_a_reader_that_closes_the_pipe_is_no_error(tmp_path: Path) -> None:
    settings = f"{' '.join(SMALL)} --epochs 2 --output-dir {tmp_path / 'run'}"
    for arguments, reader in (("--help", "true"), (settings, "head -1")):
        words = f"set -o pipefail; {sys.executable} -m {PACKAGE}.train {arguments} | {reader}"
        result = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")

    # Nobody read on, and training went on to its end.
    assert torch.load(tmp_path / "run" / "last.pt")["epoch"] == 2
    assert (tmp_path / "run" / "confusion.png").exists()


@pytest.mark.parametrize("task", ["digits", "tabular", "sequence"])
def test_a_default_run_reaches_the_stated_quality(
    task: str, tmp_path: Path, repositories: Path
) -> None:
    package = f"minimal_{task}"
    readme = (repositories / package / "README.md").read_text(encoding="utf-8")
    stated = re.search(r"\*\*(\w+) (?:above|below) ([\d.]+)\*\*", readme)
    assert stated

    assert train(package, "--output-dir", tmp_path / "run") == 0

    data, model, objective, settings = (
        importlib.import_module(f"{package}.task.{name}")
        for name in ("data", "model", "objective", "settings")
    )
    net = model.build_model(settings.ModelConfig()).eval()
    net.load_state_dict(torch.load(tmp_path / "run" / "best.pt")["model"])
    splits, metrics = data.splits(settings.DataConfig()), objective.Metrics()
    with torch.no_grad():
        for batch in DataLoader(splits.test, batch_size=256, collate_fn=splits.collate):
            metrics.update(net(**data.inputs(batch)), batch)
    reached = metrics.compute()[stated[1]]
    assert stated[1] == objective.PRIMARY.name
    assert objective.PRIMARY.better(reached, float(stated[2])), reached
