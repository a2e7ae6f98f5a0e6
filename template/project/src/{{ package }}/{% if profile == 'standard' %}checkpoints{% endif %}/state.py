"""The files of a run's state: whole or not there, and reading one runs no code."""

import contextlib
import dataclasses
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import torch
from torch import Tensor, nn

from ..command import InputError
from ..distributed.processes import lost_contact
from ..task.model import build_model
from ..training.config import TrainConfig
from ..training.settings import config_from_values, config_to_values, suitable_settings_expected
from .files import write_atomically

# Count it up when the form of these files changes: an old one is then read, or refused in plain
# words.
FORMAT = 3


@dataclasses.dataclass(frozen=True)
class Weights:
    """A model as it was after an epoch: what evaluation needs."""

    config: TrainConfig
    epoch: int
    """Epochs that were done."""
    metrics: dict[str, float]
    """The loss and the metrics on the validation samples."""
    model: dict[str, Tensor]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A run between two steps: all that it needs to continue as if it had never stopped."""

    config: TrainConfig
    epoch: int
    """Epochs that are done."""
    epoch_step: int
    """Optimizer steps that are done in the epoch after them."""
    step: int
    """Optimizer steps that are done in the whole run."""
    best: list[tuple[float, int]]
    """The best epochs so far, best first: the primary metric on the validation samples, and the
    number of the epoch."""
    epoch_seconds: float
    """How long the steps in this epoch took."""
    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    scaler: dict[str, Any]
    ranks: list[dict[str, Any]]
    """What each process has of its own, by rank: random states, and the sums of its losses."""
    launches: list[str]
    """The torchruns, one a machine, that started the run's processes."""


@dataclasses.dataclass(frozen=True)
class Trained:
    """A model with the weights of a run."""

    model: nn.Module
    """On the CPU, in evaluation mode."""
    weights: Weights
    """What the file holds: the weights, and the settings that they were trained with."""


Kept = TypeVar("Kept", Weights, Checkpoint)


def save_state(kept: Weights | Checkpoint, path: Path) -> None:
    """Write it; whatever happens, ``path`` holds what it did or the new, whole."""
    values = {field.name: getattr(kept, field.name) for field in dataclasses.fields(kept)}
    values["config"] = config_to_values(kept.config)
    values["format"] = FORMAT
    write_atomically(path, lambda file: _dump(values, file))


def load_state(kind: type[Kept], path: Path) -> Kept:
    """Read what is of this kind onto the CPU, running no code that the file might hold."""
    values = _read(path)
    version = values.pop("format", None) if isinstance(values, dict) else None
    if version == 2 and kind is Weights and "loss" in values:
        # Before version 0.4 of the template there was no other figure.
        values["metrics"] = {"loss": values.pop("loss")}
    elif version != FORMAT:
        raise InputError(f"{path} is not a checkpoint of this version of the project.")
    if values.keys() != _names(kind):
        if kind is Weights and values.keys() == _names(Checkpoint):
            raise InputError(f"{path} is a state to resume a run from; use its best.pt here.")
        raise _corrupt(path)
    if not isinstance(values["config"], dict):
        raise _corrupt(path)
    values["config"] = config_from_values(values["config"], source=str(path))
    return kind(**values)


def load_trained(path: Path) -> Trained:
    """Read the weights of a run, such as its best.pt, and build their model."""
    weights = load_state(Weights, path)
    with suitable_settings_expected("task/model.py"):
        model = build_model(weights.config.model)
    with same_model_expected(path):
        model.load_state_dict(weights.model)
    return Trained(model.eval(), weights)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a run's weights, of a checkpoint, or of any file of a state dict."""
    values = _read(path)
    if isinstance(values, dict) and isinstance(values.get("model"), dict):
        values = values["model"]
    if not isinstance(values, dict) or not values:
        raise _corrupt(path)
    if not all(isinstance(value, Tensor) for value in values.values()):
        raise InputError(f"{path} is not a state dict: it holds other things than tensors.")
    return values


def _names(kind: type[Weights | Checkpoint]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def _corrupt(path: Path) -> InputError:
    return InputError(f"{path} is not a checkpoint, or it is corrupt.")


@contextlib.contextmanager
def same_model_expected(path: Path) -> Iterator[None]:
    """Explain in one sentence that the state read from ``path`` does not fit the model."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        if lost_contact(error) or isinstance(error, torch.OutOfMemoryError):
            raise
        raise InputError(
            f"{path} holds another model than build_model in task/model.py builds now."
        ) from error


def _dump(values: dict[str, Any], file: BinaryIO) -> None:
    try:
        torch.save(values, file)
    except RuntimeError as error:
        # A full disk leaves the archive unfinished; what torch says of that must not hide it.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def _read(path: Path) -> Any:
    try:
        # torch compares no checksums: without this, changed weights would pass for the real ones.
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            if archive.testzip() is not None:
                raise zipfile.BadZipFile
        with warnings.catch_warnings():
            # What torch finds odd about a corrupt file says nothing that the error does not.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    except Exception as error:
        # Damage can make the readers of zip files and pickles fail in any way.
        raise _corrupt(path) from error
