"""Days of a store: readings as floats, the store as an integer; readings are augmented."""

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..interface import BATCH, Batch, Inputs, Splits
from .settings import DataConfig, NoiseConfig

READINGS, STORES = 5, 7

PREPROCESSING = "none: readings are used as they are"

DYNAMIC = {"readings": {0: BATCH}, "store": {0: BATCH}}


class Days(Dataset[dict[str, Any]]):
    """Made-up days, in nested samples: ``{"x": {"readings", "store"}, "y": (sales, sold out)}``.

    Args:
        count: how many
        seed: another one makes other days
        noise: how readings are disturbed; None: not at all
    """

    def __init__(self, count: int, seed: int, noise: NoiseConfig | None) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.readings = torch.randn(count, READINGS, generator=generator)
        self.stores = torch.randint(STORES, (count,), generator=generator)
        self.sales = self.readings.sum(dim=1) + 0.3 * self.stores
        self.noise = noise

    def __len__(self) -> int:
        """Return the number of days."""
        return len(self.stores)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return a day; a different one in each epoch where it is disturbed."""
        readings, sales = self.readings[index], self.sales[index]
        if self.noise:
            readings = readings + self.noise.scale * _draw(self.noise)
        # Some days have no count of sales: they have no term in the loss.
        known = bool(index % 5)
        return {
            "x": {"readings": readings, "store": self.stores[index]},
            "y": (sales, (sales > 1).float(), torch.tensor(known)),
        }


def _draw(noise: NoiseConfig) -> Tensor:
    drawn = torch.randn(READINGS) + random.gauss(0, 1)
    return drawn + float(np.random.randn()) if noise.numpy else drawn


def splits(config: DataConfig) -> Splits:
    """Make the days; only those of training are disturbed."""
    train, validation, test = config.sizes
    return Splits(
        train=Days(train, seed=0, noise=config.noise),
        validation=Days(validation, seed=1, noise=None),
        test=Days(test, seed=2, noise=None),
        augmented=True,
    )


def inputs(batch: Batch) -> Inputs:
    """Return what the model is called with."""
    inputs: Inputs = batch["x"]
    return inputs
