"""Random numbers that can be seeded, saved and restored."""

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch


def derived_seed(purpose: str, *numbers: int) -> int:
    """Mix a purpose and its numbers into a seed of 32 bits, unlike that of any other purpose."""
    return int(np.random.SeedSequence([*purpose.encode(), *numbers]).generate_state(1)[0])


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch, on all devices."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python, numpy and torch for the block, and put their generators back after it."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    # Not `torch.manual_seed`, which would seed the GPUs too, and a loader's worker has none.
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


def random_state(device: torch.device) -> dict[str, Any]:
    """Return the state of this process's generators, as tensors and plain values."""
    algorithm, keys, *position = np.random.get_state(legacy=True)
    state: dict[str, Any] = {
        "python": random.getstate(),
        # A checkpoint that loads with weights_only=True can hold tensors, but no arrays.
        "numpy": [algorithm, torch.from_numpy(np.asarray(keys).astype(np.int64)), *position],
        "torch": torch.get_rng_state(),
    }
    if device.type != "cpu":
        # Of the current device, which is this one.
        state[device.type] = torch.get_device_module(device).get_rng_state()
    return state


def restore_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Restore all generators; that of a GPU only on a device of the same type."""
    random.setstate(state["python"])
    algorithm, keys, *position = state["numpy"]
    np.random.set_state((algorithm, keys.numpy().astype(np.uint32), *position))
    torch.set_rng_state(state["torch"])
    if device.type in state:
        torch.get_device_module(device).set_rng_state(state[device.type])
