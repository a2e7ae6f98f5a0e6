"""What is kept of a run, in files that are whole or not there and run no code when read."""

import contextlib
import dataclasses
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import torch
from torch import Tensor

from .config import TrainConfig
from .config_file import config_from_values, config_to_values
from .distributed import lost_contact
from .errors import InputError
from .files import write_atomically

# Count it up when the form of these files changes: an old one is then refused in plain words.
FORMAT = 2


@dataclasses.dataclass(frozen=True)
class Weights:
    """A model as it was after an epoch: what evaluation needs."""

    config: TrainConfig
    epoch: int
    """Epochs that were done."""
    loss: float
    """The loss on the validation images."""
    model: dict[str, Tensor]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A run between two steps: all that it needs to go on as if nothing had been."""

    config: TrainConfig
    epoch: int
    """Epochs that are done."""
    epoch_step: int
    """Optimizer steps that are done in the epoch after them."""
    step: int
    """Optimizer steps that are done in the whole run."""
    best_loss: float
    """The lowest validation loss so far."""
    epoch_seconds: float
    """How long the steps in this epoch took."""
    model: dict[str, Tensor]
    """Empty where the processes wrote their shares into files of their own."""
    optimizer: dict[str, Any]
    """Empty where the processes wrote their shares into files of their own."""
    schedule: dict[str, Any]
    scaler: dict[str, Any]
    ranks: list[dict[str, Any]]
    """What each process has of its own, by rank: random states, and its losses' sum."""
    launches: list[str]
    """The torchruns, one a machine, that started the run's processes."""


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
    if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
        raise InputError(f"{path} is no checkpoint of this version of the project.")
    if values.keys() != _names(kind):
        if kind is Weights and values.keys() == _names(Checkpoint):
            raise InputError(f"{path} is the state of a run, to go on from; use its best.pt here.")
        raise damaged(path)
    values["config"] = config_from_values(values["config"], source=str(path))
    return kind(**values)


def _names(kind: type[Weights | Checkpoint]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def damaged(path: Path) -> InputError:
    """Return the error for a file that nothing can be read from."""
    return InputError(f"{path} is no checkpoint, or a damaged one.")


@contextlib.contextmanager
def same_model_expected(path: Path) -> Iterator[None]:
    """Tell in one sentence that the state read from ``path`` does not fit what it is put into."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        lost = isinstance(error, RuntimeError) and lost_contact(error)
        if lost or isinstance(error, torch.OutOfMemoryError):
            raise
        raise InputError(
            f"{path} holds another model than src/{__package__}/classifier.py builds now."
        ) from error


def _dump(values: dict[str, Any], file: BinaryIO) -> None:
    try:
        torch.save(values, file)
    except RuntimeError as error:
        # A full disk leaves the archive unfinished: that torch says so must not hide the cause.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def _read(path: Path) -> Any:
    try:
        # torch compares no checksums: without this, changed weights would pass for the real ones.
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            if archive.testzip() is not None:
                raise damaged(path)
        with warnings.catch_warnings():
            # What torch finds odd about a damaged file says nothing that the error does not.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    except Exception as error:
        # Damage can make the readers of zip files and pickles fail in any way.
        raise damaged(path) from error
