"""How a server reads one day from JSON, and how it writes what the model says of it."""

from typing import Any

import torch

from ..command import InputError
from ..interface import Inputs
from .data import READINGS, STORES

EXAMPLE: object = {"readings": [0.5, -1, 2, 0, 0.25], "store": 3}


def decode(value: object) -> Inputs:
    """Return the inputs of one day; only the store is checked, to see what the server does."""
    if not isinstance(value, dict) or value.keys() != {"readings", "store"}:
        raise InputError("a day must be an object with the keys readings, store.")
    if value["store"] not in range(STORES):
        raise InputError(f"store must be an integer from 0 to {STORES - 1}.")
    readings = torch.tensor(value["readings"], dtype=torch.float32)
    assert readings.shape == (READINGS,)
    return {"readings": readings, "store": torch.tensor(int(value["store"]))}


def encode(outputs: Any) -> object:
    """Return the sales, and how likely it is that something is sold out."""
    return {"sales": outputs["sales"].item(), "sold_out": outputs["sold_out"].sigmoid().item()}
