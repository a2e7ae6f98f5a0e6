"""Training from its command line, on the real digits."""

import dataclasses
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from digit_classifier.checkpoint import Checkpoint, Weights, load_state, save_state
from digit_classifier.checkpoint_folder import CHECKSUMS, STATE, CheckpointFolder
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


def newest(run: Path) -> Path:
    """Return the state in a run's newest checkpoint."""
    checkpoints = CheckpointFolder(run)
    return checkpoints.place(checkpoints.steps()[-1]) / STATE


def last(run: Path) -> Checkpoint:
    """Read a run's newest checkpoint."""
    return load_state(Checkpoint, newest(run))


def best(run: Path) -> Weights:
    """Read the weights of a run's best epoch."""
    return load_state(Weights, run / "best.pt")


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
    assert records[-1]["step"] == last(folder).step


def test_both_plots_are_pictures(finished: tuple[Path, str, str]) -> None:
    folder, _, _ = finished

    for name in ("losses.png", "confusion.png"):
        content = (folder / name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) > 5000


def test_the_best_epoch_is_kept_beside_the_last(finished: tuple[Path, str, str]) -> None:
    folder, _, _ = finished

    losses = [record["validation_loss"] for record in read_metrics(folder / "metrics.jsonl")]
    kept = best(folder)
    assert kept.epoch == 1 + losses.index(min(losses))
    assert kept.loss == min(losses)
    assert last(folder).best_loss == min(losses)
    assert last(folder).epoch == 3


def test_the_command_line_goes_before_the_file(finished: tuple[Path, str, str]) -> None:
    folder, _, _ = finished

    config = last(folder).config

    assert (config.epochs, config.data.batch_size, config.optimizer.warmup_share) == (3, 32, 0.2)
    assert config.model.channels == 32


def test_a_file_changes_the_settings_that_it_names(tmp_path: Path) -> None:
    file = tmp_path / "small.toml"
    file.write_text("epochs = 1\n[model]\nchannels = 2\n", encoding="utf-8")

    assert train("--config", file, "--output", tmp_path / "run") == 0

    config = last(tmp_path / "run").config
    assert (config.epochs, config.model.channels, config.model.hidden_features) == (1, 2, 64)


def test_the_seed_decides_the_weights(tmp_path: Path) -> None:
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        assert train("--output", tmp_path / name, "--seed", seed, "--epochs", 1, *SMALL) == 0

    first, again, other = (last(tmp_path / name).model for name in ("first", "again", "other"))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_a_finished_run_can_be_given_more_epochs(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert train("--output", folder, "--epochs", 1, *SMALL) == 0
    moved = folder.rename(tmp_path / "moved")

    assert train("--resume", moved, "--epochs", 2) == 0

    assert last(moved).epoch == 2
    # Not the end of the old course, where the rate is zero.
    assert all(record["learning_rate"] > 0 for record in read_metrics(moved / "metrics.jsonl"))
    assert not folder.exists()


def test_a_run_cannot_be_given_fewer_epochs_than_it_has_done(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "run"
    assert train("--output", folder, "--epochs", 2, *SMALL) == 0
    before = newest(folder).read_bytes()

    assert train("--resume", folder, "--epochs", 1) == 2

    complaint = f"error: {folder} has done 2 epochs: --epochs must be at least that.\n"
    assert capsys.readouterr().err == complaint
    assert newest(folder).read_bytes() == before


def put_back(checkpoint: Checkpoint, path: Path) -> None:
    """Write a changed state into a checkpoint that counts as whole."""
    save_state(checkpoint, path)
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(CHECKSUMS).write_text(json.dumps({STATE: checksum}), encoding="utf-8")


def test_a_checkpoint_of_another_model_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run"
    assert train("--output", run, "--epochs", 1, *SMALL) == 0
    path, checkpoint = newest(run), last(run)
    other = {key: value[None] for key, value in checkpoint.model.items()}
    put_back(dataclasses.replace(checkpoint, model=other), path)
    capsys.readouterr()

    assert train("--resume", run) == 2

    builder = "src/digit_classifier/classifier.py"
    complaint = f"error: {path} holds another model than {builder} builds now.\n"
    assert capsys.readouterr().err == complaint


def test_weights_of_another_model_are_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run"
    assert train("--output", run, "--epochs", 1, *SMALL) == 0
    other = {key: value[None] for key, value in best(run).model.items()}
    save_state(dataclasses.replace(best(run), model=other), run / "best.pt")
    capsys.readouterr()

    assert train("--resume", run) == 2

    assert f"{run / 'best.pt'} holds another model" in capsys.readouterr().err


def test_other_groups_of_parameters_are_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run"
    assert train("--output", run, "--epochs", 1, *SMALL) == 0
    path, checkpoint = newest(run), last(run)
    optimizer = checkpoint.optimizer | {"param_groups": checkpoint.optimizer["param_groups"][:1]}
    put_back(dataclasses.replace(checkpoint, optimizer=optimizer), path)

    assert train("--resume", run) == 2

    assert f"{path} holds another model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--epochs", "0"], "epochs must be at least 1; it is 0."),
        (["--device", "toaster"], "There is no device 'toaster'; auto always works."),
        (["--config", "missing.toml"], "Cannot read missing.toml: No such file or directory."),
        (["--resume", "missing"], "missing holds no run that could be gone on with."),
        (
            ["--accumulation", "5"],
            "must divide by processes times micro-steps, 1 times 5; it is 64.",
        ),
        (["--data.batch-size", "9999"], "must be at most 1168, the number of training images"),
        (["--strategy", "fsdp"], "fsdp needs a process group: start with torchrun"),
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
    before = newest(folder).read_bytes()

    assert train("--output", folder, "--epochs", 1, *SMALL) == 2
    assert f"{folder} holds a run" in capsys.readouterr().err
    assert train("--resume", folder, "--data.batch-size", 3) == 2
    assert "leave out data.batch_size" in capsys.readouterr().err

    assert newest(folder).read_bytes() == before


def test_weights_of_an_earlier_form_are_not_overwritten(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "best.pt").write_bytes(b"from an earlier version")

    assert train("--output", tmp_path, *SMALL) == 2

    assert f"error: {tmp_path} holds a run" in capsys.readouterr().err
    assert (tmp_path / "best.pt").read_bytes() == b"from an earlier version"


def test_a_loss_that_explodes_ends_the_run(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rate = ["--optimizer.learning-rate", "1e30"]

    assert train("--output", tmp_path / "run", "--epochs", 3, *SMALL, *rate) == 2

    assert "smaller --optimizer.learning-rate" in capsys.readouterr().err
    assert all(value.isfinite().all() for value in last(tmp_path / "run").model.values())


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
