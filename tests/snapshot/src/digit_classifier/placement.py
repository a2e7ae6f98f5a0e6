"""A model as it is before its weights are held in one way or another."""

import torch
from torch import nn

from .config import TrainConfig
from .distributed import Processes
from .recompute import recompute_activations


def placed(
    model: nn.Module,
    config: TrainConfig,
    processes: Processes,
    device: torch.device,
) -> nn.Module:
    """Return the model on its device, with norms that see the batches of all processes."""
    if processes.world_size > 1 and device.type == "cuda":
        # There is no such norm on the CPU: there, rank zero's statistics count.
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    model = model.to(device)
    if config.activation_checkpointing:
        recompute_activations(model)
    return model
