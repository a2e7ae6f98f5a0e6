"""Each process has the whole model: one process alone, or several with averaged gradients."""

import contextlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from .config import TrainConfig
from .distributed import Processes
from .placement import placed


class Replicated:
    """Keep a copy of the model in every process.

    Args:
        config: settings of the run
        processes: those of the run
        device: where this process computes
    """

    def __init__(self, config: TrainConfig, processes: Processes, device: torch.device) -> None:
        self.config = config
        self.processes = processes
        self.device = device
        self._parallel: DistributedDataParallel | None = None

    def prepare(self, model: nn.Module) -> nn.Module:
        """Return the model on its device."""
        return placed(model, self.config, self.processes, self.device)

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return the model with averaging of gradients, compiled where that is asked for."""
        network = model
        if self.processes.world_size > 1:
            # The trainer itself carries buffers over, after each step.
            network = self._parallel = DistributedDataParallel(
                model,
                device_ids=[self.device] if self.device.type == "cuda" else None,
                forward_sync_buffers=False,
            )
        if not self.config.compile:
            return network
        compiled: nn.Module = torch.compile(network)  # type: ignore[assignment]
        return compiled

    def micro_step(self, last: bool) -> contextlib.AbstractContextManager[None]:
        """Average the gradients in the last micro-step of a step only."""
        if last or self._parallel is None:
            return contextlib.nullcontext()
        return self._parallel.no_sync()

    def state(
        self,
        model: nn.Module,
        optimizer: Optimizer,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return both states: every process has the same."""
        return model.state_dict(), optimizer.state_dict()

    def save_shares(self, folder: Path, model: nn.Module, optimizer: Optimizer) -> None:
        """Write nothing: rank zero has it all."""

    def restore(
        self,
        folder: Path,
        state: tuple[dict[str, Any], dict[str, Any]],
        model: nn.Module,
        optimizer: Optimizer,
    ) -> None:
        """Load both states, in every process."""
        model_state, optimizer_state = state
        model.load_state_dict(model_state)
        optimizer.load_state_dict(optimizer_state)

    def weights(self, model: nn.Module) -> dict[str, Tensor]:
        """Return the model's state."""
        return model.state_dict()

    def load_weights(self, model: nn.Module, weights: dict[str, Tensor]) -> None:
        """Load the model's state, in every process."""
        model.load_state_dict(weights)
