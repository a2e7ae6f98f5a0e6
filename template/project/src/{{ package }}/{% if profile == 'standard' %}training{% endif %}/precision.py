"""The type in which the model computes, while its weights stay float32."""

import contextlib
import warnings

import torch
from torch.amp import GradScaler

from .config import TrainConfig

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(config: TrainConfig, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Return a context, for every step anew, in which matrix products take the narrow type."""
    dtype = TYPES.get(config.precision)
    # Without a narrow type there is nothing to pay for.
    return torch.autocast(device.type, dtype) if dtype else contextlib.nullcontext()


def build_scaler(config: TrainConfig, device: torch.device) -> GradScaler:
    """Return what keeps small gradients from vanishing in float16; for other types it does nothing.

    It leaves out a step whose gradients became too large, the first few of a run for example.
    """
    enabled = config.precision == "fp16"
    if enabled:
        # To a schedule, a first step that is left out looks like one that was forgotten.
        warnings.filterwarnings("ignore", r"Detected call of `lr_scheduler\.step\(\)` before")
    return GradScaler(device.type, enabled=enabled)
