"""What an export leaves behind, where it goes well and where it does not."""

import dataclasses
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from digit_classifier.checkpoint import Weights, load_state, save_state
from digit_classifier.command import run_command
from digit_classifier.errors import InputError
from digit_classifier.export import metadata
from digit_classifier.export import subject as subjects
from digit_classifier.export.__main__ import main
from digit_classifier.export.comparison import compare
from digit_classifier.export.delivery import export
from digit_classifier.export.measurement import BATCH_SIZES, measure
from digit_classifier.export.subject import Subject
from digit_classifier.export.target import Limits, Target, Written
from digit_classifier.signals import StopSignals
from digit_classifier.trained import Trained, load_trained

from tests.running import TIMEOUT

WEIGHTS = "weights.pt"
EQUAL = Limits(difference=1e-4)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shifted(Target):
    """A target of the tests: a table of the model's answers, off by a chosen amount."""

    shift: float = 0.0
    limits: Limits = EQUAL

    def write(self, subject: Subject, folder: Path, _: dict[str, Any]) -> Written:
        """Keep the checkpoint's name and the shift."""
        torch.save({"checkpoint": str(subject.path), "shift": self.shift}, folder / WEIGHTS)
        (folder / "notes").mkdir()
        return Written(files=(WEIGHTS,), limits=self.limits, facts={"shift": self.shift})


def load(folder: Path) -> Callable[[Tensor], Tensor]:
    """Answer as the model does, off by the shift; the fresh process calls it."""
    kept = torch.load(folder / WEIGHTS, weights_only=True)
    if kept["shift"] == 1000:
        raise RuntimeError("this one does not load")
    model = load_trained(Path(kept["checkpoint"])).model
    return lambda images: model(images) + kept["shift"]


def status_of(target: Target) -> int:
    def main() -> None:
        export(target, "shifted")

    return run_command(main)


@pytest.mark.slow
def test_what_is_equal_is_delivered_with_its_report(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"

    assert status_of(Shifted(checkpoint=checkpoint, out=out)) == 0

    assert {path.name for path in out.iterdir()} == {WEIGHTS, "notes", "export.json"}
    assert [path.name for path in out.parent.iterdir()] == ["folder"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shift", "limits", "told"),
    [
        (0.01, EQUAL, "its outputs differ by 1.0e-02"),
        (float("nan"), EQUAL, "numbers that are none"),
        (float("nan"), Limits(accuracy_points=100.0), "numbers that are none"),
        (float("nan"), Limits(), "numbers that are none"),
        (1000, Limits(), "cannot be run"),
    ],
)
def test_what_is_over_the_limit_leaves_nothing(
    shift: float,
    limits: Limits,
    told: str,
    checkpoint: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    target = Shifted(
        checkpoint=checkpoint,
        out=tmp_path / "new" / "out",
        shift=shift,
        limits=limits,
    )

    assert status_of(target) == 1

    errors = capfd.readouterr().err
    assert told in errors
    assert "Traceback" not in errors
    if shift == 1000:
        assert "this one does not load" in (tmp_path / "new" / "out.export.log").read_text()
    else:
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_loss_within_the_limit_is_delivered(checkpoint: Path, tmp_path: Path) -> None:
    limits = Limits(accuracy_points=1.0)
    target = Shifted(checkpoint=checkpoint, out=tmp_path / "out", shift=0.5, limits=limits)

    assert status_of(target) == 0


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_is_there_stays(
    kind: str,
    checkpoint: Path,
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

    assert status_of(Shifted(checkpoint=checkpoint, out=out)) == 2

    assert f"{out} is there already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("limit", [float("nan"), float("inf"), -1.0])
def test_a_limit_that_is_none_is_refused(limit: float, tmp_path: Path) -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Tolerant(Shifted):
        tolerance: float = 0.0

    target = Tolerant(checkpoint=tmp_path / "best.pt", out=tmp_path / "out", tolerance=limit)
    with pytest.raises(InputError, match="--tolerance must be a number from 0 on"):
        target.check()


@pytest.mark.parametrize("out", ["file/out", "file/new/out", "new/..", ".", "/"])
def test_a_place_that_cannot_be_is_refused(
    out: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()

    with pytest.raises(InputError):
        Shifted(checkpoint=tmp_path / "best.pt", out=Path(out)).check()


def test_a_checkpoint_that_changes_meanwhile_is_refused(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = tmp_path / "best.pt"
    copy.write_bytes(checkpoint.read_bytes())

    def load_late(path: Path) -> Trained:
        trained = load_trained(path)
        path.write_bytes(b"the next epoch's")
        return trained

    monkeypatch.setattr(subjects, "load_trained", load_late)
    with pytest.raises(InputError, match="was written anew"):
        subjects.load_subject(copy)


@pytest.mark.slow
def test_training_that_goes_on_does_not_change_what_is_compared(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = load_state(Weights, checkpoint)
    copy = tmp_path / "best.pt"
    save_state(whole, copy)
    subject = subjects.load_subject(copy)
    nothing = {name: torch.zeros_like(tensor) for name, tensor in whole.model.items()}
    save_state(dataclasses.replace(whole, model=nothing), copy)
    (tmp_path / "artefact").mkdir()
    torch.save({"checkpoint": str(checkpoint), "shift": 0.0}, tmp_path / "artefact" / WEIGHTS)

    assert compare(subject, __name__, tmp_path / "artefact").difference == 0


def test_metadata_are_of_this_repository_alone(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A package that is installed in another repository's environment is none of its commits."""
    subject = subjects.load_subject(checkpoint)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.example"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    other = tmp_path / ".venv" / "export" / "metadata.py"
    other.parent.mkdir(parents=True)
    other.touch()
    monkeypatch.setattr(metadata, "__file__", str(other))
    assert metadata.describe(subject)["git"] is None

    subprocess.run([*git, "add", str(other)], check=True)
    git_of_it = metadata.describe(subject)["git"]
    assert len(git_of_it["commit"]) == 40
    assert git_of_it["dirty"] is True


def test_one_image_is_enough(checkpoint: Path) -> None:
    subject = subjects.load_subject(checkpoint)
    images, labels = subject.splits.test.tensors
    one = TensorDataset(images[:1], labels[:1])
    subject = dataclasses.replace(subject, splits=dataclasses.replace(subject.splits, test=one))

    assert len(subject.example()) == 2
    seen: list[int] = []

    def predict(batch: Tensor) -> Tensor:
        seen.append(len(batch))
        return batch

    measured = measure(predict, one.tensors[0])
    assert {len(measurement.outputs) for measurement in measured.values()} == {1}
    # What is timed are full batches.
    assert set(seen) == {1, *BATCH_SIZES}


def test_a_misspelt_target_is_refused_in_one_sentence() -> None:
    with pytest.raises(InputError, match="There is no target 'onx': take "):
        main(["onx", "--checkpoint", "best.pt", "--out", "out"])


def test_a_file_that_is_no_checkpoint_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "best.pt").write_text("not one", encoding="utf-8")

    assert status_of(Shifted(checkpoint=tmp_path / "best.pt", out=tmp_path / "out")) == 2

    assert "is no checkpoint" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["best.pt"]


class Interrupted(Target):
    """A target of the tests: a signal comes as it writes, and the library tells another error."""

    def write(self, subject: Subject, folder: Path, metadata: dict[str, Any]) -> Written:
        """Fail as torch does, whose archive stays unfinished."""
        (folder / WEIGHTS).write_bytes(b"half")
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            raise RuntimeError("unexpected pos 46 vs 0")


def test_a_stop_that_a_library_tells_as_an_error_is_a_stop(
    checkpoint: Path,
    tmp_path: Path,
) -> None:
    target = Interrupted(checkpoint=checkpoint, out=tmp_path / "new" / "out")

    def stopped() -> None:
        with StopSignals():
            export(target, "interrupted")

    assert run_command(stopped) == 128 + signal.SIGTERM
    # No log of a failed export either.
    assert list(tmp_path.iterdir()) == []


class OnFullDisk(Target):
    """A target of the tests: the disk is full, and the library hides it."""

    def write(self, subject: Subject, folder: Path, metadata: dict[str, Any]) -> Written:
        """Fail as AOTInductor's compiler does."""
        try:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder))
        except OSError:
            raise RuntimeError("the compiler failed") from None


def test_a_full_disk_that_a_library_tells_as_its_own_error_is_told(
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert status_of(OnFullDisk(checkpoint=checkpoint, out=tmp_path / "new" / "out")) == 1

    assert "error: No space left on device: " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing(number: signal.Signals, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    script = f"""
import sys, tests.export.test_delivery as test
from pathlib import Path
from digit_classifier.signals import StopSignals
def main():
    with StopSignals():
        test.export(test.Shifted(checkpoint=Path({str(checkpoint)!r}), out=Path({str(out)!r})), "")
sys.exit(test.run_command(main))
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL)
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
