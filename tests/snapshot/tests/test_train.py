"""Training from its command line, on the real digits."""

import dataclasses
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from digit_classifier.checkpoint import load_checkpoint, save_checkpoint
from digit_classifier.command import run_command
from digit_classifier.metrics import read_metrics
from digit_classifier.train import main

COMMAND = [
    sys.executable,
    "-m",
    "digit_classifier.train",
]
EXAMPLE = Path(__file__).parents[1] / "configs" / "digits.toml"
SMALL = ["--model.channels", "4", "--model.hidden-features", "8", "--device", "cpu"]


def train(*arguments: object) -> int:
    """Train in this process; return the exit status."""
    return run_command(lambda: main([str(argument) for argument in arguments]))


def weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the weights in a checkpoint."""
    return load_checkpoint(path).model


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Train three epochs; return the output folder and what was printed."""
    folder = tmp_path_factory.mktemp("run") / "run"
    settings = ["--epochs", "3", "--data.batch-size", "32", "--optimizer.warmup-share", "0.2"]
    result = subprocess.run(
        [*COMMAND, "--config", str(EXAMPLE), "--output", str(folder), *settings],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return folder, result.stdout, result.stderr


def test_three_epochs_learn_most_digits(finished: tuple[Path, str, str]) -> None:
    _, output, _ = finished

    (line,) = (line for line in output.splitlines() if line.startswith("test accuracy"))
    assert float(line.removeprefix("test accuracy ").removesuffix("%")) > 90


def test_no_bar_is_drawn_where_nobody_watches(finished: tuple[Path, str, str]) -> None:
    _, output, errors = finished

    assert errors == ""
    assert "\r" not in output


def test_every_epoch_is_in_the_metrics(finished: tuple[Path, str, str]) -> None:
    folder, _, _ = finished

    records = read_metrics(folder / "metrics.jsonl")

    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert records[-1]["train_loss"] < records[0]["train_loss"]
    assert records[-1]["step"] == load_checkpoint(folder / "last.pt").step


def test_both_plots_are_pictures(finished: tuple[Path, str, str]) -> None:
    folder, _, _ = finished

    for name in ("losses.png", "confusion.png"):
        content = (folder / name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) > 5000


def test_the_best_epoch_is_kept_beside_the_last(finished: tuple[Path, str, str]) -> None:
    folder, _, _ = finished

    losses = [record["validation_loss"] for record in read_metrics(folder / "metrics.jsonl")]
    best = load_checkpoint(folder / "best.pt")
    assert best.epoch == 1 + losses.index(min(losses))
    assert best.best_loss == min(losses)
    assert load_checkpoint(folder / "last.pt").epoch == 3


def test_the_command_line_goes_before_the_file(finished: tuple[Path, str, str]) -> None:
    folder, _, _ = finished

    config = load_checkpoint(folder / "last.pt").config

    assert (config.epochs, config.data.batch_size, config.optimizer.warmup_share) == (3, 32, 0.2)
    assert config.model.channels == 32


def test_a_file_changes_the_settings_that_it_names(tmp_path: Path) -> None:
    file = tmp_path / "small.toml"
    file.write_text("epochs = 1\n[model]\nchannels = 2\n", encoding="utf-8")

    assert train("--config", file, "--output", tmp_path / "run") == 0

    config = load_checkpoint(tmp_path / "run" / "last.pt").config
    assert (config.epochs, config.model.channels, config.model.hidden_features) == (1, 2, 64)


def test_the_seed_decides_the_weights(tmp_path: Path) -> None:
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        assert train("--output", tmp_path / name, "--seed", seed, "--epochs", 1, *SMALL) == 0

    first, again, other = (
        weights(tmp_path / name / "last.pt") for name in ("first", "again", "other")
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
def test_ctrl_c_leaves_a_run_that_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    settings = ["--epochs", "40", *SMALL]
    metrics = tmp_path / "stopped" / "metrics.jsonl"
    process = subprocess.Popen(
        [*COMMAND, "--output", str(metrics.parent), *settings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    while len(read_metrics(metrics)) < 2 and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]

    assert process.returncode == 130, errors
    assert errors.startswith("\nStopped. To go on: ")
    assert errors.endswith(f"--resume {metrics.parent}\n")
    assert 0 < load_checkpoint(metrics.parent / "last.pt").epoch < 40

    assert train("--resume", metrics.parent) == 0
    assert train("--output", tmp_path / "whole", *settings) == 0

    for name in ("last.pt", "best.pt"):
        resumed, whole = weights(metrics.parent / name), weights(tmp_path / "whole" / name)
        for key, value in whole.items():
            assert torch.equal(resumed[key], value), (name, key)
    assert [record["epoch"] for record in read_metrics(metrics)] == list(range(1, 41))


def test_a_finished_run_can_be_given_more_epochs(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert train("--output", folder, "--epochs", 1, *SMALL) == 0
    moved = folder.rename(tmp_path / "moved")

    assert train("--resume", moved, "--epochs", 2) == 0

    assert load_checkpoint(moved / "last.pt").epoch == 2
    # Not the end of the old course, where the rate is zero.
    assert all(record["learning_rate"] > 0 for record in read_metrics(moved / "metrics.jsonl"))
    assert not folder.exists()


def test_a_run_cannot_be_given_fewer_epochs_than_it_has_done(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "run"
    assert train("--output", folder, "--epochs", 2, *SMALL) == 0
    before = (folder / "last.pt").read_bytes()

    assert train("--resume", folder, "--epochs", 1) == 2

    complaint = f"error: {folder} has done 2 epochs: --epochs must be at least that.\n"
    assert capsys.readouterr().err == complaint
    assert (folder / "last.pt").read_bytes() == before


@pytest.mark.parametrize("name", ["last.pt", "best.pt"])
def test_a_checkpoint_of_another_model_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    path = tmp_path / "run" / name
    assert train("--output", path.parent, "--epochs", 1, *SMALL) == 0
    checkpoint = load_checkpoint(path)
    other = {key: value[None] for key, value in checkpoint.model.items()}
    save_checkpoint(dataclasses.replace(checkpoint, model=other), path)
    capsys.readouterr()

    assert train("--resume", path.parent) == 2

    builder = "src/digit_classifier/classifier.py"
    complaint = f"error: {path} holds another model than {builder} builds now.\n"
    assert capsys.readouterr().err == complaint


def test_other_groups_of_parameters_are_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "run" / "last.pt"
    assert train("--output", path.parent, "--epochs", 1, *SMALL) == 0
    checkpoint = load_checkpoint(path)
    optimizer = checkpoint.optimizer | {"param_groups": checkpoint.optimizer["param_groups"][:1]}
    save_checkpoint(dataclasses.replace(checkpoint, optimizer=optimizer), path)

    assert train("--resume", path.parent) == 2

    assert f"{path} holds another model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--epochs", "0"], "epochs must be at least 1; it is 0."),
        (["--device", "toaster"], "There is no device 'toaster'; auto always works."),
        (["--config", "missing.toml"], "Cannot read missing.toml: No such file or directory."),
        (["--resume", "missing"], "last.pt: No such file or directory."),
        (["--config", "a.toml", "--resume", "b"], "Give --config or --resume"),
    ],
)
def test_wrong_input_gets_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    complaint: str,
) -> None:
    assert train(*arguments, "--output", tmp_path / "run") == 2

    errors = capsys.readouterr().err
    assert complaint in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_an_output_that_is_a_file_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")

    assert train("--output", file, *SMALL) == 2

    assert capsys.readouterr().err == f"error: Cannot make the folder {file}: File exists.\n"
    assert file.read_text(encoding="utf-8") == "mine"


def test_an_unknown_setting_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        train("--epoch", "3")

    assert caught.value.code == 2
    assert "--epochs" in capsys.readouterr().err


def test_a_run_is_neither_overwritten_nor_resumed_as_another(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "run"
    assert train("--output", folder, "--epochs", 1, *SMALL) == 0
    before = (folder / "last.pt").read_bytes()

    assert train("--output", folder, "--epochs", 1, *SMALL) == 2
    assert f"{folder} holds a run" in capsys.readouterr().err
    assert train("--resume", folder, "--data.batch-size", 3) == 2
    assert "leave out data.batch_size" in capsys.readouterr().err

    assert (folder / "last.pt").read_bytes() == before


def test_a_loss_that_explodes_ends_the_run(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rate = ["--optimizer.learning-rate", "1e30"]

    assert train("--output", tmp_path / "run", "--epochs", 3, *SMALL, *rate) == 2

    assert "smaller --optimizer.learning-rate" in capsys.readouterr().err
    assert all(value.isfinite().all() for value in weights(tmp_path / "run" / "last.pt").values())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_the_default_settings_reach_97_percent(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    seed: int,
) -> None:
    assert train("--output", tmp_path / "run", "--seed", seed) == 0

    accuracy = capsys.readouterr().out.partition("test accuracy ")[2].partition("%")[0]
    assert float(accuracy) >= 97
