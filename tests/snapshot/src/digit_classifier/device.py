"""Where to compute."""

import torch

from .errors import InputError


def choose_device(name: str) -> torch.device:
    """Return the device of this name; ``auto`` takes CUDA, else MPS, else the CPU."""
    if name == "auto":
        return torch.device(_best_available())
    try:
        device = torch.device(name)
        # Only an allocation shows that the device is there and that this torch can use it.
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"Cannot use device {name!r} ({reason}); auto always works.") from error
    return device


def _best_available() -> str:
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu"
