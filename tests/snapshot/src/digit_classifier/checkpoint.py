"""Checkpoints: everything that a run needs to go on, written whole or not at all."""

import contextlib
import dataclasses
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .config import TrainConfig
from .config_file import config_from_values, config_to_values
from .errors import InputError
from .files import write_atomically
from .interrupts import interrupts_held

# Count it up when the form of a checkpoint changes: an old one is then refused in plain words.
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A run as it stood at the end of an epoch."""

    config: TrainConfig
    epoch: int
    """Epochs that are done."""
    step: int
    """Optimizer steps that are done."""
    best_loss: float
    """The lowest validation loss so far."""
    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    random: dict[str, Any]
    """Where the random generators stood."""
    order: Tensor
    """Where the generator of the images' order stood."""


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; whatever happens, ``path`` holds the old one or the new one, whole."""
    values = {
        field.name: getattr(checkpoint, field.name) for field in dataclasses.fields(checkpoint)
    }
    values["config"] = config_to_values(checkpoint.config)
    values["format"] = FORMAT
    with interrupts_held():
        write_atomically(path, lambda file: torch.save(values, file))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU, running no code that it might hold."""
    values = _read(path)
    if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
        raise InputError(f"{path} is no checkpoint of this version of the project.")
    if values.keys() != {field.name for field in dataclasses.fields(Checkpoint)}:
        raise _damaged(path)
    values["config"] = config_from_values(values["config"], source=str(path))
    return Checkpoint(**values)


@contextlib.contextmanager
def same_model_expected(path: Path) -> Iterator[None]:
    """Tell in one sentence that the state read from ``path`` does not fit what it is put into."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"{path} holds another model than src/{__package__}/classifier.py builds now."
        ) from error


def _read(path: Path) -> Any:
    try:
        # torch compares no checksums: without this, changed weights would pass for the real ones.
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            if archive.testzip() is not None:
                raise _damaged(path)
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
        raise _damaged(path) from error


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is no checkpoint, or a damaged one.")
