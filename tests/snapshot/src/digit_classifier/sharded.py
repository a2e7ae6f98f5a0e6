"""Each process has a share of every weight (FSDP2), and writes it to checkpoints itself."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.optim import Optimizer

from .blocks import blocks
from .config import TrainConfig
from .distributed import Processes
from .placement import placed

SHARES = "shares"


class Sharded:
    """Split each weight, its gradient and its optimizer's state over the processes.

    A block's weights are brought together when it computes and split again afterwards. In half
    precision each keeps its narrow copies until the backward pass, unless activations are computed
    again (``activation_checkpointing``).

    Args:
        config: settings of the run
        processes: those of the run, at least one that torchrun started
        device: where this process computes
    """

    def __init__(self, config: TrainConfig, processes: Processes, device: torch.device) -> None:
        self.config = config
        self.processes = processes
        self.device = device
        self._sharded: FSDPModule | None = None

    def prepare(self, model: nn.Module) -> nn.Module:
        """Return the model on its device, split over the processes."""
        model = placed(model, self.config, self.processes, self.device)
        mesh = init_device_mesh(self.device.type, (self.processes.world_size,))
        for block in blocks(model):
            fully_shard(block, mesh=mesh)
        self._sharded = fully_shard(model, mesh=mesh)
        return model

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return the model, compiled where that is asked for."""
        if not self.config.compile:
            return model
        compiled: nn.Module = torch.compile(model)  # type: ignore[assignment]
        return compiled

    @contextlib.contextmanager
    def micro_step(self, last: bool) -> Iterator[None]:
        """Average the gradients in the last micro-step of a step only."""
        assert self._sharded is not None
        self._sharded.set_requires_gradient_sync(last)
        yield

    def state(
        self,
        model: nn.Module,
        optimizer: Optimizer,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return nothing: rank zero has its share only."""
        return {}, {}

    def save_shares(self, folder: Path, model: nn.Module, optimizer: Optimizer) -> None:
        """Write this process's share of both states."""
        kept: dict[str, Any] = {"model": get_model_state_dict(model)}
        # Of an optimizer that has no state yet, torch makes one by a step, which would then count.
        if optimizer.state:
            kept["optimizer"] = get_optimizer_state_dict(model, optimizer)
        try:
            state_dict_saver.save(kept, checkpoint_id=folder / SHARES)
        except CheckpointException as error:
            # All processes get it, whoever's disk was full.
            for rank, (cause, _) in sorted(error.failures.items()):
                if isinstance(cause, OSError):
                    text = f"rank {rank}: {cause.strerror or cause}"
                    raise OSError(cause.errno, text, cause.filename) from error
            raise

    def restore(
        self,
        folder: Path,
        state: tuple[dict[str, Any], dict[str, Any]],
        model: nn.Module,
        optimizer: Optimizer,
    ) -> None:
        """Read this process's share, however many processes wrote it."""
        shares = folder / SHARES
        kept: dict[str, Any] = {"model": get_model_state_dict(model)}
        names = FileSystemReader(shares).read_metadata().state_dict_metadata
        if any(name.startswith("optimizer.") for name in names):
            kept["optimizer"] = get_optimizer_state_dict(model, optimizer)
        try:
            state_dict_loader.load(kept, checkpoint_id=shares)
        except CheckpointException as error:
            # Another model's is a ValueError or a RuntimeError, a disk's failure an OSError.
            cause, _ = error.failures[min(error.failures)]
            raise cause from error
        set_model_state_dict(model, kept["model"])
        if "optimizer" in kept:
            set_optimizer_state_dict(model, optimizer, kept["optimizer"])

    def weights(self, model: nn.Module) -> dict[str, Tensor]:
        """Return the whole model's state, on rank zero."""
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        weights: dict[str, Any] = get_model_state_dict(model, options=options)
        return weights

    def load_weights(self, model: nn.Module, weights: dict[str, Tensor]) -> None:
        """Split the whole model's state over the processes; only rank zero's is used."""
        options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
        state: dict[str, Any] = dict(weights) if self.processes.is_zero else {}
        set_model_state_dict(model, state, options=options)
