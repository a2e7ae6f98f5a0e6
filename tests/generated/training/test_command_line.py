"""The commands: what is wrong is said in one sentence, at once, and nothing is written."""

from __future__ import annotations

import dataclasses
import errno
import importlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from digits.command import run_command

from .running import (
    PACKAGES,
    last,
    load,
    path_of,
    run,
    small,
    steps,
    train,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch; not to be changed."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert train("digits", *small("digits", epochs=1), "--output-dir", folder) == 0
    return folder


# Asked in a fresh process: what an answer needs, and its exit status.
LIGHT = """
import importlib, sys
from {package}.command import run_command
for module in ("train", "evaluate", "profile"):
    main = importlib.import_module("{package}." + module).main
    for argument, status in (("--help", 0), ("--nonsense", 2)):
        assert run_command(lambda: main([argument])) == status, (module, argument)
    heavy = {{"torch", "numpy", "sklearn", "matplotlib", "tensorboard"}} & set(sys.modules)
    assert not heavy, (module, heavy)
main = importlib.import_module("{package}.train").main
for arguments in (["--check"], ["--check", "--epochs", "3", "--optimizer.name", "sgd"]):
    assert run_command(lambda: main(arguments)) == 0
for arguments in (["--epochs", "0"], ["--epochs", "x"], ["--config", "no.toml"]):
    assert run_command(lambda: main(arguments)) == 2
assert "torch" not in sys.modules
"""


@pytest.mark.parametrize("package", PACKAGES)
def test_help_and_wrong_flags_need_no_torch(package: str, tmp_path: Path) -> None:
    status, output, errors = run([sys.executable, "-c", LIGHT.format(package=package)])

    assert status == 0, errors
    for option in ("--epochs", "--output-dir", "--data.", "--checkpoint", "--steps"):
        assert option in output
    assert output.endswith("The arguments are valid.\nThe arguments are valid.\n")
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["train", "evaluate", "profile"])
def test_a_reader_that_closes_the_pipe_is_no_error(module: str) -> None:
    words = f"set -o pipefail; {sys.executable} -m digits.{module} --help | true"

    result = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=False)

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["| true", ">&-"])
def test_nor_is_one_that_closes_it_while_work_is_done(
    closed: str,
    finished: Path,
    tmp_path: Path,
) -> None:
    settings = " ".join(small("digits", epochs=1))
    for words in (
        f"digits.evaluate --checkpoint {finished / 'best.pt'}",
        f"digits.train {settings} --output-dir {tmp_path / 'run'}",
    ):
        bash = f"set -o pipefail; {sys.executable} -m {words} {closed}"
        result = subprocess.run(["bash", "-c", bash], capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")

    assert (tmp_path / "run" / "losses.png").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--epochs", "0"], "epochs must be at least 1; it is 0."),
        (["--device", "toaster"], "There is no device 'toaster'; use --device auto."),
        (["--device", "cuda:99"], "use --device auto"),
        (["--config", "missing.toml"], "Cannot read missing.toml: No such file or directory."),
        (["--resume", "missing"], "missing holds no run that could be resumed."),
        (
            ["--grad-accum-steps", "5"],
            "must be divisible by the processes times grad_accum_steps, 1 times 5; it is 64.",
        ),
        (["--batch-size", "9999"], "must be at most 1168, the number of training samples"),
        (["--overfit-batches", "99"], "overfit_batches must be at most 18, the batches that"),
        (["--strategy", "fsdp"], "fsdp needs a process group: start training with torchrun"),
        (["--config", "a.toml", "--resume", "b"], "Give --config or --resume"),
        (["--optimizer.name", "adagrad"], "optimizer.name must be adam, adamw, sgd, or a path"),
        (["--optimizer.schedule", "step"], "optimizer.schedule must be constant, cosine, lin"),
        (["--optimizer.options", "beta", "1"], "adamw cannot be built with optimizer.options {"),
        (["--init-from", "missing.pt"], "Cannot read missing.pt: No such file or directory."),
        (["--output-dir", ""], "output_dir must be a folder of the run's own; it is empty."),
    ],
)
def test_wrong_input_gets_one_sentence(
    arguments: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    assert train("digits", "--output-dir", "run", *arguments) == 2

    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert complaint in errors
    assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_task_cannot_do_gets_one_sentence(
    package: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = {
        "digits": ["--model.dropout", "2"],
        "tabular": ["--data.test-fraction", "3"],
        "sequence": ["--model.num-heads", "3"],
        "fourth": ["--data.sizes", "48", "0", "4"],
    }[package]

    assert train(package, *wrong, "--output-dir", tmp_path / "run") == 2

    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (FileNotFoundError("days.csv not found."), 2),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "days.csv"), 2),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "days.csv"), 2),
        (PermissionError(errno.EACCES, "Permission denied", "days.csv"), 2),
        (OSError(errno.ENOSPC, "No space left on device", "days.csv"), 1),
    ],
)
def test_a_path_that_is_wrong_is_wrong_input(
    error: OSError,
    status: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def main() -> None:
        raise error

    assert run_command(main) == status
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert "days.csv" in errors
    assert errors.count("\n") == 1


def test_an_output_that_is_a_file_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")

    assert train("digits", *small("digits"), "--output-dir", file) == 2

    assert capsys.readouterr().err == f"error: Cannot make the folder {file}: File exists.\n"
    assert file.read_text(encoding="utf-8") == "mine"


def test_a_run_is_neither_overwritten_nor_resumed_as_another(
    finished: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = path_of(finished, 9).read_bytes()
    elsewhere = finished.parent / "elsewhere"
    holds = f"error: {finished} holds a run: resume it by --resume {finished}, choose another "

    for arguments, complaint in (
        (["--output-dir", finished], holds),
        (["--output-dir", finished, "--check"], holds),
        (["--resume", "missing", "--check"], "missing holds no run that could be resumed."),
        (["--resume", finished, "--batch-size", 3], "leave out batch_size, or start a new run"),
        (["--resume", finished, "--model.channels", 3], "leave out model.channels, or start"),
        (["--resume", finished, "--output-dir", elsewhere], "leave out output_dir, or start"),
    ):
        assert train("digits", *arguments) == 2
        errors = capsys.readouterr().err
        assert complaint in errors
        assert errors.count("\n") == 1

    assert not elsewhere.exists()
    assert path_of(finished, 9).read_bytes() == before
    assert train("digits", "--resume", finished, "--check") == 0


def test_weights_alone_are_not_overwritten(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "best.pt").write_bytes(b"from an earlier version")

    assert train("digits", "--output-dir", tmp_path, *small("digits")) == 2

    assert f"error: {tmp_path} holds a run" in capsys.readouterr().err
    assert (tmp_path / "best.pt").read_bytes() == b"from an earlier version"


def test_a_run_of_version_0_3_is_not_resumed(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "checkpoints" / "step-00000018").mkdir(parents=True)

    assert train("digits", "--resume", tmp_path) == 2
    assert "start a new run with --init-from" in capsys.readouterr().err
    assert train("digits", "--output-dir", tmp_path) == 2
    assert f"{tmp_path} holds a run" in capsys.readouterr().err


def test_what_was_killed_before_its_first_checkpoint_is_no_run(tmp_path: Path) -> None:
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    (checkpoints / ".lock").write_text("Process 1 on example", encoding="utf-8")
    (checkpoints / "step-00000000.pt.partial").write_bytes(b"PK")

    assert train("digits", "--output-dir", tmp_path, *small("digits", epochs=1)) == 0

    assert steps(tmp_path) == [0, 9]


def test_a_run_cannot_be_given_fewer_epochs_than_it_has_done(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "run"
    assert train("tabular", *small("tabular"), "--output-dir", folder) == 0

    assert train("tabular", "--resume", folder, "--epochs", 1) == 2

    complaint = f"error: {folder} has done 2 epochs: --epochs must be at least that.\n"
    assert capsys.readouterr().err == complaint


@pytest.mark.parametrize("what", ["checkpoint", "best"])
def test_states_of_another_model_are_refused(
    what: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "run"
    assert train("digits", *small("digits", epochs=1), "--output-dir", folder) == 0
    path, state = path_of(folder, 9), last(folder)
    save_state = importlib.import_module("digits.checkpoints.state").save_state
    if what == "best":
        path = folder / "best.pt"
        state = load("digits", path)
    other = {name: value[None] for name, value in state.model.items()}
    save_state(dataclasses.replace(state, model=other), path)
    capsys.readouterr()

    assert train("digits", "--resume", folder) == 2

    complaint = f"{path} holds another model than build_model in task/model.py builds now."
    assert capsys.readouterr().err == f"error: {complaint}\n"
