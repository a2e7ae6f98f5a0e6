"""scikit-learn's handwritten digits: 1,797 real images of 8x8 pixels, nothing to download."""

import dataclasses
import math

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.utils.data import DataLoader, Subset, TensorDataset

from .config import DataConfig
from .distributed import Processes
from .sampling import SharedBatches

CLASSES = 10
LABELS = tuple(str(digit) for digit in range(CLASSES))
"""What each class means."""

PREPROCESSING = "grey values from 0, paper, to 1, ink: the digits' own from 0 to 16, divided by 16"
"""What was done to the images before the model sees them; it travels with what is exported."""


@dataclasses.dataclass(frozen=True)
class DigitSplits:
    """The images and labels of training, validation and test; no image is in two of them.

    Each holds pairs of an image, ``(1, 8, 8)`` float32 from 0 to 1, and its label, int64.
    """

    train: TensorDataset
    validation: TensorDataset
    test: TensorDataset


def load_splits(config: DataConfig) -> DigitSplits:
    """Split the digits so that each digit has the same share in every part."""
    pixels, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(pixels.astype(np.float32) / 16).reshape(-1, 1, 8, 8)
    targets = torch.from_numpy(labels.astype(np.int64))
    count = len(labels)

    rest, test = train_test_split(
        np.arange(count),
        test_size=round(count * config.test_share),
        stratify=labels,
        random_state=config.split_seed,
    )
    train, validation = train_test_split(
        rest,
        test_size=round(count * config.validation_share),
        stratify=labels[rest],
        random_state=config.split_seed,
    )
    return DigitSplits(
        *(TensorDataset(images[part], targets[part]) for part in (train, validation, test))
    )


def training_batches(
    dataset: TensorDataset,
    sampler: SharedBatches,
    device: torch.device,
    generator: torch.Generator,
) -> DataLoader[tuple[Tensor, ...]]:
    """Feed the images in the sampler's order; workers are seeded by the generator."""
    return DataLoader(
        dataset,
        batch_sampler=sampler,
        # A copy from pinned memory goes on while the GPU computes.
        pin_memory=device.type == "cuda",
        # A loader draws a number when it starts, for its workers: from torch's own generator, and
        # dropout would be another in a run that was stopped in the middle of an epoch.
        generator=generator,
    )


def evaluation_batches(
    dataset: TensorDataset,
    processes: Processes,
) -> DataLoader[tuple[Tensor, ...]]:
    """Feed this process's share of the images, in their own order.

    All shares are of one size, since a sharded model waits for every process in each batch: where
    the images do not divide, the last shares are filled up with the first image.
    """
    count = len(dataset)
    share = math.ceil(count / processes.world_size)
    first = share * processes.rank
    indices = [index if index < count else 0 for index in range(first, first + share)]
    return DataLoader(Subset(dataset, indices), batch_size=256, generator=torch.Generator())
