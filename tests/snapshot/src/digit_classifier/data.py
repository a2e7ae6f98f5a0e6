"""scikit-learn's handwritten digits: 1,797 real images of 8x8 pixels, nothing to download."""

import dataclasses

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from .config import DataConfig

CLASSES = 10


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


def shuffled_batches(
    dataset: TensorDataset,
    batch_size: int,
    generator: torch.Generator,
) -> DataLoader[tuple[Tensor, ...]]:
    """Feed the images in a new order each time; the generator alone decides on the order."""
    return DataLoader(dataset, batch_size=batch_size, shuffle=True, generator=generator)


def ordered_batches(dataset: TensorDataset) -> DataLoader[tuple[Tensor, ...]]:
    """Feed the images in their own order, for evaluation."""
    return DataLoader(dataset, batch_size=256)
