"""Where to compute."""

import torch

from .errors import InputError


def choose_device(name: str) -> torch.device:
    """Return the device of this name; ``auto`` takes CUDA, else MPS, else the CPU."""
    if name == "auto":
        return torch.device(_best_available())
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"There is no device {name!r}; auto always works.") from error
    try:
        # Only a tensor that went there and back shows that this torch can use the device.
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, ImportError) as error:
        # The first sentence; a long text about torch's build may follow.
        reason = str(error).strip().splitlines()[0].partition(". ")[0]
        raise InputError(f"Cannot use device {name!r} ({reason}); auto always works.") from error
    return device


def _best_available() -> str:
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu"
