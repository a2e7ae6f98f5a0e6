"""What is kept of a run: whole at any moment, safe to load, and enough to go on from."""

import dataclasses
import random
import re
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import torch

from digit_classifier.checkpoint import Checkpoint, load_state, save_state
from digit_classifier.config import DataConfig, ModelConfig, TrainConfig
from digit_classifier.errors import InputError
from digit_classifier.files import write_atomically
from digit_classifier.training import Trainer

CONFIG = TrainConfig(
    epochs=4,
    device="cpu",
    data=DataConfig(batch_size=256),
    model=ModelConfig(channels=4, hidden_features=8, dropout=0.5),
)


def train(trainer: Trainer, epochs: int) -> list[float]:
    """Train some epochs; return the losses of training and validation."""
    losses = []
    for _ in range(epochs):
        losses += [trainer.train_epoch(lambda: None), trainer.validate().loss]
    return losses


def test_a_resumed_run_is_bit_identical(tmp_path: Path) -> None:
    whole = Trainer(CONFIG)
    expected = train(whole, epochs=4)

    stopped = Trainer(CONFIG)
    losses = train(stopped, epochs=2)
    save_state(stopped.checkpoint(), tmp_path / "state.pt")
    resumed = Trainer(CONFIG)
    train(resumed, epochs=1)  # whatever it did before must not matter
    resumed.restore(load_state(Checkpoint, tmp_path / "state.pt"), tmp_path)
    losses += train(resumed, epochs=2)

    assert losses == expected
    assert (resumed.epoch, resumed.step) == (whole.epoch, whole.step)
    weights = resumed.model.state_dict()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(weights[name], value), name


def test_all_random_generators_go_on(tmp_path: Path) -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), np.random.rand(), torch.rand(()).item()

    trainer = Trainer(CONFIG)
    save_state(trainer.checkpoint(), tmp_path / "state.pt")
    expected = draw()
    draw()
    trainer.restore(load_state(Checkpoint, tmp_path / "state.pt"), tmp_path)

    assert draw() == expected


def test_a_checkpoint_holds_plain_values_and_tensors_only(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    trainer = Trainer(CONFIG)
    train(trainer, epochs=1)
    save_state(trainer.checkpoint(), path)

    values = torch.load(path, weights_only=True)

    assert values["epoch"] == 1
    assert values["config"]["model"] == dataclasses.asdict(CONFIG.model)
    assert load_state(Checkpoint, path).config == CONFIG


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="needs a limit on the size of files")
    path = tmp_path / "state.pt"
    trainer = Trainer(CONFIG)
    save_state(trainer.checkpoint(), path)
    before = path.read_bytes()
    train(trainer, epochs=1)

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_state(trainer.checkpoint(), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_a_disk_that_is_full_in_the_middle_is_named(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="needs a limit on the size of files")
    checkpoint = dataclasses.replace(
        Trainer(CONFIG).checkpoint(), model={"weight": torch.zeros(300_000)}
    )
    path = tmp_path / "state.pt"

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match=re.escape(f"File too large: '{path}'")):
            save_state(checkpoint, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.pt"
    path.write_bytes(content)

    with pytest.raises(InputError, match="no checkpoint"):
        load_state(Checkpoint, path)


@pytest.mark.filterwarnings("error")
def test_no_damage_goes_unnoticed(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    trainer = Trainer(CONFIG)
    train(trainer, epochs=1)
    save_state(trainer.checkpoint(), path)
    whole = path.read_bytes()
    chance = random.Random(0)
    # The first part of the archive is the pickle, where damage does most.
    places = [*range(0, 2000, 13), *(chance.randrange(len(whole)) for _ in range(150))]
    damaged = [whole[:place] for place in places]
    for place in places:
        byte = (whole[place] ^ 1 << chance.randrange(8)).to_bytes()
        damaged.append(whole[:place] + byte + whole[place + 1 :])

    refused = 0
    for content in damaged:
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

    assert refused > len(damaged) / 2


def test_a_missing_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(Trainer(CONFIG).checkpoint(), path)
    values = torch.load(path, weights_only=True)
    del values["schedule"]
    torch.save(values, path)

    with pytest.raises(InputError, match="no checkpoint, or a damaged one"):
        load_state(Checkpoint, path)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    torch.save({"format": 1, "model": Path("anything but a tensor")}, path)

    with pytest.raises(InputError, match="no checkpoint"):
        load_state(Checkpoint, path)


def test_a_checkpoint_of_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    torch.save({"format": 0}, path)

    with pytest.raises(InputError, match="no checkpoint of this version"):
        load_state(Checkpoint, path)


def test_a_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Cannot read .*: No such file"):
        load_state(Checkpoint, tmp_path / "state.pt")
