"""The folder of checkpoints: what is there is whole, and damage leads to the one before."""

import os
import shutil
from pathlib import Path

import pytest

from digit_classifier.checkpoint import save_state
from digit_classifier.checkpoint_folder import STATE, CheckpointFolder
from digit_classifier.config import ModelConfig, TrainConfig
from digit_classifier.errors import InputError
from digit_classifier.training import Trainer

SMALL = TrainConfig(device="cpu", model=ModelConfig(channels=2, hidden_features=4))


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return Trainer(SMALL)


def save(trainer: Trainer, run: Path, *steps: int) -> CheckpointFolder:
    """Write checkpoints of these steps."""
    folder = CheckpointFolder(run)
    for step in steps:
        partial = folder.begin(step)
        save_state(trainer.checkpoint(), partial / STATE)
        folder.finish(partial)
    return folder


def test_the_newest_two_are_kept(trainer: Trainer, tmp_path: Path) -> None:
    folder = save(trainer, tmp_path, 0, 18, 36)

    assert folder.steps() == [18, 36]
    assert sorted(path.name for path in folder.path.iterdir()) == ["step-00000018", "step-00000036"]
    assert sorted(path.name for path in folder.place(36).iterdir()) == ["checksums.json", STATE]


def test_the_newest_is_taken_without_a_word(trainer: Trainer, tmp_path: Path) -> None:
    folder = save(trainer, tmp_path, 99, 1000)
    warnings: list[str] = []

    assert folder.newest(warnings.append) == folder.place(1000)
    assert warnings == []


@pytest.mark.parametrize("file", [STATE, "checksums.json"])
@pytest.mark.parametrize("damage", ["cut", "changed", "missing"])
def test_a_damaged_one_leads_to_the_one_before(
    trainer: Trainer,
    tmp_path: Path,
    file: str,
    damage: str,
) -> None:
    folder = save(trainer, tmp_path, 18, 36)
    path = folder.place(36) / file
    content = path.read_bytes()
    middle = len(content) // 2
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:middle])
    else:
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    warnings: list[str] = []

    assert folder.newest(warnings.append) == folder.place(18)

    assert warnings == [
        f"warning: {folder.place(36)} is damaged: going on from {folder.place(18)}."
    ]


def test_no_whole_one_is_an_error(trainer: Trainer, tmp_path: Path) -> None:
    folder = save(trainer, tmp_path, 18, 36)
    for step in folder.steps():
        (folder.place(step) / STATE).write_bytes(b"")

    with pytest.raises(InputError, match="step-00000036 is damaged, and no older checkpoint"):
        folder.newest(lambda _: None)


def test_none_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no run that could be gone on with"):
        CheckpointFolder(tmp_path).newest(lambda _: None)


def test_one_of_the_same_step_is_replaced(trainer: Trainer, tmp_path: Path) -> None:
    folder = save(trainer, tmp_path, 18)
    (folder.place(18) / STATE).write_bytes(b"damaged")

    save(trainer, tmp_path, 18)

    assert folder.newest(lambda _: None) == folder.place(18)


def test_what_killed_writers_left_is_cleared_away(trainer: Trainer, tmp_path: Path) -> None:
    folder = save(trainer, tmp_path, 18, 36)
    shutil.copytree(folder.place(36), folder.begin(54), dirs_exist_ok=True)
    shutil.copytree(folder.place(18), folder.place(0).with_suffix(".removed"))

    assert folder.newest(lambda _: None) == folder.place(36)
    folder.tidy(36)

    assert sorted(path.name for path in folder.path.iterdir()) == ["step-00000018", "step-00000036"]


def test_what_was_passed_over_goes_when_the_run_goes_on(trainer: Trainer, tmp_path: Path) -> None:
    folder = save(trainer, tmp_path, 18, 36)

    folder.tidy(18)

    assert folder.steps() == [18]


def test_two_runs_cannot_write_to_one_folder(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="no locks here")
    first = CheckpointFolder(tmp_path)
    first.lock()

    with pytest.raises(InputError, match=f"^Process {os.getpid()} on .* trains in "):
        CheckpointFolder(tmp_path).lock()

    first.unlock()
    second = CheckpointFolder(tmp_path)
    second.lock()
    second.unlock()
