"""What an export leaves behind, where it goes well and where it does not."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from digits.checkpoints.state import Trained, Weights, load_state, load_trained, save_state
from digits.command import InputError, run_command
from digits.export import comparison, delivery, report
from digits.export import subject as subjects
from digits.export.__main__ import main
from digits.export.comparison import Comparison, compare
from digits.export.delivery import export
from digits.export.target import Limits, Target
from digits.signals import StopSignals
from digits.task import objective

from .shifted import BROKEN, EQUAL, FILE, Interrupted, OnFullDisk, Shifted

if TYPE_CHECKING:
    from .conftest import Checkpoint

TIMEOUT = 600


@pytest.fixture
def best(checkpoint: Checkpoint) -> Path:
    """The weights of the digits' run."""
    return checkpoint("digits")


def status_of(target: Target) -> int:
    """Export, and return the exit status."""

    def checked() -> None:
        target.check()
        with StopSignals():
            export(target, "shifted")

    return run_command(checked)


def test_what_is_equal_is_delivered_with_its_report(best: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"

    assert status_of(Shifted(checkpoint=best, out=out)) == 0

    assert {path.name for path in out.iterdir()} == {FILE, "notes", "export.json"}
    assert [path.name for path in out.parent.iterdir()] == ["folder"]
    found = json.loads((out / "export.json").read_text())
    assert found["proved"]
    assert found["greatest_difference"] == 0
    assert found["metrics"]["before"] == found["metrics"]["after"]
    assert found["metrics"]["before"]["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("shift", "limits", "reported"),
    [
        (0.01, EQUAL, "its outputs differ by "),
        (float("nan"), Limits(metric_loss=100.0), "not finite numbers"),
        (float("nan"), Limits(), "not finite numbers"),
        (BROKEN, Limits(), "cannot be run"),
    ],
)
def test_what_is_over_the_limit_leaves_nothing(
    shift: float,
    limits: Limits,
    reported: str,
    best: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "new" / "out"

    assert status_of(Shifted(checkpoint=best, out=out, shift=shift, limits=limits)) == 1

    errors = capfd.readouterr().err
    assert reported in errors
    assert "Traceback" not in errors
    if shift == BROKEN:
        assert "this one does not load" in (tmp_path / "new" / "out.export.log").read_text()
    else:
        assert list(tmp_path.iterdir()) == []


def test_the_metric_bounds_what_outputs_may_differ_by(best: Path, tmp_path: Path) -> None:
    """A shift of all logits changes no accuracy."""
    target = Shifted(
        checkpoint=best,
        out=tmp_path / "out",
        shift=0.5,
        limits=Limits(metric_loss=0.0),
    )
    assert status_of(target) == 0


def test_a_worse_metric_is_over_the_limit() -> None:
    found = Comparison(9, "error", degradation=0.2, before={"error": 1.0}, after={"error": 1.2})
    assert found.over(Limits(metric_loss=0.2)) == ""
    reason = "error goes from 1 to 1.2 on the test samples; it may lose 0.1"
    assert found.over(Limits(metric_loss=0.1)) == reason


class Unable:
    """Metrics that are not there."""

    def update(self, outputs: object, batch: object) -> None:
        """Fail."""
        raise ValueError("only one class")


def test_a_metric_that_cannot_be_computed_is_reported_and_nothing_is_called_proved(
    best: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = load_trained(best).model
    monkeypatch.setattr(objective, "Metrics", Unable)
    with torch.inference_mode():
        found = comparison._measured(best, lambda inputs: model(**inputs))
    reason = "accuracy of the test samples cannot be computed (ValueError: only one class)"
    assert found.metric_error == reason
    assert found.over(EQUAL) == ""
    assert found.over(Limits(metric_loss=1.0)) == f"what it loses cannot be measured: {reason}"

    monkeypatch.setattr(delivery, "compare", lambda *_: found)
    assert status_of(Shifted(checkpoint=best, out=tmp_path / "out")) == 0
    assert f"exported to {tmp_path / 'out'}, not proved: {reason}" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "export.json").read_text())["proved"] is False


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_is_there_stays(
    kind: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    if kind == "folder":
        out.mkdir()
    elif kind == "file":
        out.write_text("mine", encoding="utf-8")
    else:
        out.symlink_to("nowhere")

    assert status_of(Shifted(checkpoint=tmp_path / "best.pt", out=out)) == 2

    assert f"{out} is there already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("limit", [float("nan"), float("inf"), -1.0])
def test_a_limit_that_is_not_one_is_refused(limit: float, tmp_path: Path) -> None:
    target = Shifted(checkpoint=tmp_path / "best.pt", out=tmp_path / "out", tolerance=limit)
    with pytest.raises(InputError, match="--tolerance must be a number from 0 on"):
        target.check()


@pytest.mark.parametrize("out", ["file/out", "file/new/out", "new/..", ".", "/"])
def test_a_folder_that_cannot_be_made_is_refused(
    out: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()

    with pytest.raises(InputError):
        Shifted(checkpoint=tmp_path / "best.pt", out=Path(out)).check()


def test_a_checkpoint_that_changes_meanwhile_is_refused(
    best: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = tmp_path / "best.pt"
    copy.write_bytes(best.read_bytes())

    def load_late(path: Path) -> Trained:
        trained = load_trained(path)
        path.write_bytes(b"the next epoch's")
        return trained

    monkeypatch.setattr(subjects, "load_trained", load_late)
    with pytest.raises(InputError, match="was written anew"):
        subjects.load_subject(copy)


def test_training_that_continues_does_not_change_what_is_compared(
    best: Path,
    tmp_path: Path,
) -> None:
    whole = load_state(Weights, best)
    copy = tmp_path / "best.pt"
    save_state(whole, copy)
    subject = subjects.load_subject(copy)
    nothing = {name: torch.zeros_like(tensor) for name, tensor in whole.model.items()}
    save_state(dataclasses.replace(whole, model=nothing), copy)
    (tmp_path / "artefact").mkdir()
    torch.save({"checkpoint": str(best), "shift": 0.0}, tmp_path / "artefact" / FILE)

    found = compare(subject, Shifted.__module__, tmp_path / "artefact")

    assert found.greatest_difference == 0


def test_metadata_are_of_this_repository_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A package that is installed in another repository's environment is not of its commits."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.example"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    other = tmp_path / ".venv" / "export" / "report.py"
    other.parent.mkdir(parents=True)
    other.touch()
    monkeypatch.setattr(report, "__file__", str(other))
    assert report._git() is None

    subprocess.run([*git, "add", str(other)], check=True)
    found = report._git()
    assert found is not None
    assert len(found["commit"]) == 40
    assert found["dirty"] is True


def test_a_misspelt_target_is_refused_in_one_sentence() -> None:
    with pytest.raises(InputError, match="There is no target 'onx': take "):
        main(["onx", "--checkpoint", "best.pt", "--out", "out"])


def test_a_file_that_is_not_a_checkpoint_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "best.pt").write_text("not one", encoding="utf-8")

    assert status_of(Shifted(checkpoint=tmp_path / "best.pt", out=tmp_path / "out")) == 2

    assert "is not a checkpoint" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["best.pt"]


def test_a_stop_that_a_library_raises_as_an_error_is_a_stop(best: Path, tmp_path: Path) -> None:
    target = Interrupted(checkpoint=best, out=tmp_path / "new" / "out")

    assert status_of(target) == 128 + signal.SIGTERM
    # No log of a failed export either.
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_that_a_library_hides_is_reported(
    best: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert status_of(OnFullDisk(checkpoint=best, out=tmp_path / "new" / "out")) == 1

    assert "error: No space left on device: " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(best: Path, tmp_path: Path) -> None:
    """A file that may not grow stands for a disk that is full: the error comes from one place."""
    out = tmp_path / "out"
    command = f"""
import resource, sys
from digits.command import run_command
from digits.export.__main__ import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
arguments = ["torch-export", "--checkpoint", {str(best)!r}, "--out", {str(out)!r}]
sys.exit(run_command(lambda: main(arguments)))
"""
    process = subprocess.run(
        [sys.executable, "-c", command],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert process.returncode == 1, process.stderr
    assert process.stderr.splitlines() == ["error: File too large"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing(number: signal.Signals, best: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    arguments = ("torch-export", "--checkpoint", str(best), "--out", str(out))
    process = subprocess.Popen(
        [sys.executable, "-m", "digits.export", *arguments],
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + TIMEOUT
        while not any(out.parent.glob(".out.*.partial/*")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(timeout=TIMEOUT) == 128 + number
    finally:
        process.kill()
        process.wait()
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_closes_the_pipe_stops_no_export(best: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("torch-export", "--checkpoint", str(best), "--out", str(out))
    process = subprocess.Popen(
        [sys.executable, "-m", "digits.export", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait(timeout=TIMEOUT) == 0
    assert (out / "export.json").exists()


def test_help_and_wrong_options_need_no_torch(tmp_path: Path) -> None:
    wrong = ["onnx", "--checkpoint=best.pt", f"--out={tmp_path / 'out'}", "--tolerance=-1"]
    for arguments, status in ((["--help"], 0), (["onnx", "--help"], 0), (["--no"], 2), (wrong, 2)):
        command = f"""
import sys
from digits.command import run_command
from digits.export.__main__ import main
status = run_command(lambda: main({arguments!r}))
assert "torch" not in sys.modules
sys.exit(status)
"""
        process = subprocess.run(
            [sys.executable, "-c", command],
            capture_output=True,
            encoding="utf-8",
            env=os.environ,
            check=False,
        )
        assert process.returncode == status, process.stderr
