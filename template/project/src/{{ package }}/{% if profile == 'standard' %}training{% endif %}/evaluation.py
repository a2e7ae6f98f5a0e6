"""How good a model is on a set of samples."""

import dataclasses

import torch
from torch import nn

from ..command import InputError
from ..distributed.processes import SINGLE, Processes
from ..interface import Batch, Samples, map_tensors
from ..task import objective
from .sampling import Collate, evaluation_batches


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The result on one set of samples."""

    loss: float
    """Mean over the terms of the loss."""
    metrics: dict[str, float]
    """The task's metrics by name."""
    state: objective.Metrics
    """What they were computed from, for plots."""

    @property
    def figures(self) -> dict[str, float]:
        """The loss and the metrics, by name."""
        return {"loss": self.loss, **self.metrics}

    @property
    def primary(self) -> float:
        """The metric that chooses the best epoch."""
        name = objective.PRIMARY.name
        if name not in self.figures:
            raise InputError(
                f"task/objective.py: PRIMARY is {name!r}, but the metrics are "
                f"{', '.join(self.figures)}."
            )
        return self.figures[name]


@torch.no_grad()
def evaluate(
    model: nn.Module,
    dataset: Samples,
    collate: Collate,
    device: torch.device,
    processes: Processes = SINGLE,
    *,
    batch_size: int = 64,
    limit: int = 0,
    workers: int = 0,
) -> Evaluation:
    """Run the model in evaluation mode over all samples; its mode is restored afterwards.

    Several processes share the samples, and each returns the result on all of them. A limit is a
    number of samples, the first ones.
    """
    was_training = model.training
    model.eval()
    metrics = objective.Metrics()
    total, count = 0.0, 0.0
    try:
        for batch, counts in evaluation_batches(
            dataset,
            collate,
            processes,
            batch_size=batch_size,
            limit=limit,
            workers=workers,
        ):
            batch = to_device(batch, device)
            loss = objective.loss(model, batch)
            if counts:
                total += float(loss.sum)
                count += float(loss.count)
                metrics.update(loss.outputs, batch)
    finally:
        model.train(was_training)
    parts = processes.gather((total, count, metrics if count else None))
    collected = [part for _, _, part in parts if part is not None]
    merged, *others = collected or [metrics]
    for other in others:
        merged.merge(other)
    terms = sum(part for _, part, _ in parts)
    mean = sum(part for part, _, _ in parts) / terms if terms else float("nan")
    return Evaluation(loss=mean, metrics=merged.compute(), state=merged)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return a batch on a device; a copy from pinned memory does not wait."""
    return map_tensors(lambda tensor: tensor.to(device, non_blocking=True), batch)
