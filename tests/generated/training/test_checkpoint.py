"""What is kept of a run: whole at any moment, safe to load, and enough to continue from."""

from __future__ import annotations

import dataclasses
import os
import random
import re
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pytest
import torch
from digits.checkpoints.files import write_atomically
from digits.checkpoints.folder import CheckpointFolder
from digits.checkpoints.state import Checkpoint, load_state, save_state
from digits.command import InputError
from digits.task.settings import ModelConfig
from digits.training import trainer as trainers
from digits.training.config import OptimizerConfig, TrainConfig
from digits.training.trainer import Trainer
from torch import Tensor, nn

from .running import expect_equal

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = TrainConfig(
    epochs=4,
    device="cpu",
    batch_size=256,
    model=ModelConfig(channels=2, hidden_features=4, dropout=0.5),
)


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    """A trainer after an epoch; not to be changed."""
    trainer = Trainer(CONFIG)
    take_steps(trainer)
    return trainer


def take_steps(trainer: Trainer) -> float:
    """Train an epoch and return its loss."""
    for _ in trainer.steps():
        pass
    return trainer.finish_epoch()[0]


def test_all_random_generators_continue(tmp_path: Path) -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), np.random.rand(), torch.rand(()).item()

    trainer = Trainer(CONFIG)
    save_state(trainer.checkpoint(), tmp_path / "state.pt")
    expected = draw()
    draw()
    trainer.restore(load_state(Checkpoint, tmp_path / "state.pt"), tmp_path)

    assert draw() == expected


class Odd(nn.Module):
    """A model with a tied weight, a frozen one, and one that no step reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(64, 10, bias=False)
        self.tied = nn.Linear(64, 10, bias=False)
        self.tied.weight = self.first.weight
        self.frozen = nn.Linear(10, 10).requires_grad_(False)
        self.unreached = nn.Linear(10, 10)
        self.batch_norm = nn.BatchNorm1d(10)

    def forward(self, images: Tensor) -> Tensor:
        x = images.flatten(1)
        output: Tensor = self.frozen(self.batch_norm(self.first(x) + self.tied(x)))
        return output


@pytest.mark.parametrize("name", ["adamw", "sgd", "torch.optim:Rprop", "torch.optim:RAdam"])
def test_odd_models_and_optimizers_continue_too(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trainers, "build_model", lambda _: Odd())
    options = {"momentum": 0.9} if name == "sgd" else {}
    config = dataclasses.replace(CONFIG, optimizer=OptimizerConfig(name=name, options=options))
    if name == "torch.optim:Rprop":
        # It has no weight decay.
        monkeypatch.setattr(
            "digits.training.optimizer.parameter_groups",
            lambda module, _: [{"params": list(module.parameters())}],
        )
    whole = Trainer(config)
    losses = [take_steps(whole), take_steps(whole)]

    stopped = Trainer(config)
    first = take_steps(stopped)
    save_state(stopped.checkpoint(), tmp_path / "state.pt")
    resumed = Trainer(config)
    resumed.restore(load_state(Checkpoint, tmp_path / "state.pt"), tmp_path / "state.pt")

    assert [first, take_steps(resumed)] == losses
    expect_equal(resumed.model.state_dict(), whole.model.state_dict(), "weights")
    expect_equal(resumed.optimizer.state_dict(), whole.optimizer.state_dict(), "optimizer")


def test_a_checkpoint_holds_plain_values_and_tensors_only(trainer: Trainer, tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(trainer.checkpoint(), path)

    values = torch.load(path, weights_only=True)

    assert values["epoch"] == 1
    assert values["config"]["model"] == dataclasses.asdict(CONFIG.model)
    assert load_state(Checkpoint, path).config == CONFIG


@pytest.mark.parametrize("size", [0.5, 0.001], ids=["in the middle", "at the beginning"])
def test_a_full_disk_leaves_the_old_checkpoint(
    size: float,
    trainer: Trainer,
    tmp_path: Path,
) -> None:
    resource = pytest.importorskip("resource", reason="needs a limit on the size of files")
    path = tmp_path / "state.pt"
    save_state(trainer.checkpoint(), path)
    before = path.read_bytes()
    larger = dataclasses.replace(trainer.checkpoint(), model={"weight": torch.zeros(300_000)})

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(1_200_000 * size), hard))
    try:
        with pytest.raises(OSError, match=re.escape(f"File too large: '{path}'")):
            save_state(larger, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_some(file: BinaryIO) -> None:
        file.write(b"new, but not")
        file.flush()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, write_some)

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.filterwarnings("error")
def test_no_corruption_goes_unnoticed(trainer: Trainer, tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(trainer.checkpoint(), path)
    whole = path.read_bytes()
    chance = random.Random(0)
    # The first part of the archive is the pickle, where corruption does most.
    places = [*range(0, 2000, 29), *(chance.randrange(len(whole)) for _ in range(60))]
    corrupt = [whole[:place] for place in places]
    for place in places:
        byte = (whole[place] ^ 1 << chance.randrange(8)).to_bytes()
        corrupt.append(whole[:place] + byte + whole[place + 1 :])

    refused = 0
    for content in corrupt:
        path.write_bytes(content)
        try:
            checkpoint = load_state(Checkpoint, path)
        except InputError:
            refused += 1
        else:
            # The byte was one that means nothing, as in the gaps that align the tensors.
            assert checkpoint.config == CONFIG
            for name, value in trainer.model.state_dict().items():
                assert torch.equal(checkpoint.model[name], value), name

    assert refused > len(corrupt) / 2


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"format": 3}, "is not a checkpoint, or it is corrupt"),
        ({"format": 0}, "is not a checkpoint of this version"),
        ({}, "is not a checkpoint of this version"),
        ([3], "is not a checkpoint of this version"),
        ({"format": 3, "model": TrainConfig}, "is not a checkpoint, or it is corrupt"),
    ],
    ids=["no fields", "another form", "no form", "no dictionary", "would run code"],
)
def test_another_file_is_refused(content: object, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    torch.save(content, path)

    with pytest.raises(InputError, match=complaint):
        load_state(Checkpoint, path)


def save(trainer: Trainer, run: Path, *steps: int) -> CheckpointFolder:
    """Write checkpoints of these steps."""
    folder = CheckpointFolder(run)
    folder.path.mkdir(exist_ok=True)
    for step in steps:
        folder.save(dataclasses.replace(trainer.checkpoint(), step=step))
    return folder


def test_the_latest_two_are_kept(trainer: Trainer, tmp_path: Path) -> None:
    folder = save(trainer, tmp_path, 0, 99, 1000)
    warnings: list[str] = []

    assert folder.steps() == [99, 1000]
    assert sorted(path.name for path in folder.path.iterdir()) == [
        "step-00000099.pt",
        "step-00001000.pt",
    ]
    assert folder.latest(warnings.append) == folder.path_for(1000)
    assert warnings == []


@pytest.mark.parametrize("what", ["cut", "changed", "emptied"])
def test_a_corrupt_one_leads_to_the_one_before(
    what: str,
    trainer: Trainer,
    tmp_path: Path,
) -> None:
    folder = save(trainer, tmp_path, 18, 36)
    path = folder.path_for(36)
    content = path.read_bytes()
    # In the bytes of a tensor, which torch itself would not miss.
    tensor = max(trainer.model.state_dict().values(), key=Tensor.numel)
    place = content.rindex(tensor.numpy().tobytes())
    path.write_bytes(
        {
            "cut": content[:place],
            "changed": content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :],
            "emptied": b"",
        }[what]
    )
    warnings: list[str] = []

    assert folder.latest(warnings.append) == folder.path_for(18)

    assert warnings == [
        f"warning: {path} is not a checkpoint, or it is corrupt: resuming from "
        f"{folder.path_for(18)}."
    ]
    # What was passed over goes when the run continues.
    folder.prune(18)
    assert folder.steps() == [18]


def test_no_whole_one_is_an_error(trainer: Trainer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no run that could be resumed"):
        CheckpointFolder(tmp_path).latest(lambda _: None)

    folder = save(trainer, tmp_path, 18, 36)
    for step in folder.steps():
        folder.path_for(step).write_bytes(b"")

    with pytest.raises(InputError, match=r"step-00000036.pt is not .*: start a new run"):
        folder.latest(lambda _: None)


def test_what_killed_writers_left_is_cleared_away(trainer: Trainer, tmp_path: Path) -> None:
    folder = save(trainer, tmp_path, 18)
    (folder.path / "step-00000036.pt.partial").write_bytes(b"PK")

    assert folder.steps() == [18]
    folder.prune(18)

    assert [path.name for path in folder.path.iterdir()] == ["step-00000018.pt"]


def test_two_runs_cannot_write_to_one_folder(tmp_path: Path) -> None:
    first = CheckpointFolder(tmp_path)
    first.lock()

    with pytest.raises(InputError, match=f"^Process {os.getpid()} on .* is training in "):
        CheckpointFolder(tmp_path).lock()

    first.unlock()
    second = CheckpointFolder(tmp_path)
    second.lock()
    second.unlock()
