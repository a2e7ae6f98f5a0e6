"""What is exported, and the images that it is measured on."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from ..checkpoint import Weights
from ..data import DigitSplits, load_splits
from ..errors import InputError
from ..trained import load_trained

INPUT, OUTPUT = "images", "logits"
"""The names that the model's input and output have outside of Python."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """A trained model with the data that belong to it."""

    path: Path
    """The checkpoint's."""
    model: nn.Module
    """On the CPU, in evaluation mode, without gradients."""
    weights: Weights
    splits: DigitSplits
    sha256: str
    """The checkpoint's."""
    bytes: int
    """The checkpoint's size."""

    def example(self, batch: int = 2) -> Tensor:
        """Return the first test images as a batch; tracing takes one of 0 or 1 for a constant."""
        count = len(self.splits.test)
        return torch.stack([self.splits.test[index % count][0] for index in range(batch)])


def load_subject(path: Path) -> Subject:
    """Read a checkpoint and the images of its run."""
    content = _content(path)
    trained = load_trained(path)
    if _content(path) != content:
        raise InputError(f"{path} was written anew while it was read: export it again.")
    return Subject(
        path,
        trained.model.requires_grad_(False),
        trained.weights,
        load_splits(trained.weights.config.data),
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
    )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        # Whoever reads it as a checkpoint says what is wrong.
        return b""


def load(path: Path) -> Callable[[Tensor], Tensor]:
    """Return the model itself, for the fresh process that an artefact is compared with."""
    return load_trained(path).model
