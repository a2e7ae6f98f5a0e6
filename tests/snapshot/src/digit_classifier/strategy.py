"""How the processes of a run hold the model between them."""

import contextlib
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .config import TrainConfig
from .distributed import Processes
from .errors import InputError
from .replicated import Replicated
from .sharded import Sharded

State = dict[str, Any]


class Strategy(Protocol):
    """What a trainer needs to know of it. The model itself keeps its names, whatever wraps it."""

    def prepare(self, model: nn.Module) -> nn.Module:
        """Return the model on its device, with its weights as they are held from now on."""

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return what a training step calls in place of a prepared model."""

    def micro_step(self, last: bool) -> contextlib.AbstractContextManager[None]:
        """Return the context of a micro-step: only the last one of a step averages gradients."""

    def state(self, model: nn.Module, optimizer: Optimizer) -> tuple[State, State]:
        """Return what rank zero writes of both; empty where each process writes its own share."""

    def save_shares(self, folder: Path, model: nn.Module, optimizer: Optimizer) -> None:
        """Write what ``state`` leaves out; all processes call it."""

    def restore(
        self,
        folder: Path,
        state: tuple[State, State],
        model: nn.Module,
        optimizer: Optimizer,
    ) -> None:
        """Put back what ``state`` and ``save_shares`` kept; all processes call it."""

    def weights(self, model: nn.Module) -> dict[str, Tensor]:
        """Return the whole model's state, at least on rank zero; all processes call it."""

    def load_weights(self, model: nn.Module, weights: dict[str, Tensor]) -> None:
        """Put in the whole model's state; all processes call it."""


def choose_strategy(
    config: TrainConfig,
    processes: Processes,
    device: torch.device,
) -> Strategy:
    """Return the strategy of the settings."""
    if config.strategy == "ddp":
        return Replicated(config, processes, device)
    if not processes.grouped:
        raise InputError(
            f"Strategy fsdp needs a process group: start with torchrun --nproc-per-node N -m "
            f"{__package__}.train."
        )
    return Sharded(config, processes, device)
