"""Train the same in any number of processes; as a program, under torchrun, for many settings.

Usage: torchrun equal_runs.py JOBS RESULTS

JOBS is JSON, a list of pairs of a package and settings. The settings `"norm": true` are no setting
but a model with batch statistics.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

# Plain steps: Adam makes whole ones of what rounding leaves of a gradient that is zero.
SGD = {"name": "sgd", "learning_rate": 0.05, "options": {"momentum": 0.9}}
# By package: settings without dropout and noise, which differ from process to process.
EXACT: dict[str, dict[str, Any]] = {
    "digits": {
        "batch_size": 128,
        "model": {"channels": 2, "hidden_features": 4, "dropout": 0.0},
    },
    "tabular": {"batch_size": 32, "model": {"hidden_features": 8, "dropout": 0.0}},
    "sequence": {
        "batch_size": 16,
        "limit_batches": 3,
        "model": {"features": 8, "num_heads": 2, "depth": 2},
    },
    "fourth": {"batch_size": 24, "workers": 0, "model": {"dropouts": [0.0, 0.0]}},
}
# What counts samples or tokens, whatever the model says of them.
COUNTS = {
    "digits": lambda state: state.confusion.sum(dim=1).tolist(),
    "tabular": lambda state: state.count,
    "sequence": lambda state: state.counts.tolist(),
    "fourth": lambda state: state.count,
}


@dataclasses.dataclass(frozen=True)
class Trained:
    """What must be the same in any number of processes."""

    first: dict[str, float]
    """Figures of the first weights on the validation samples."""
    counts: Any
    losses: list[float]
    figures: dict[str, float]
    weights: dict[str, torch.Tensor]
    buffers: list[list[torch.Tensor]]
    """By rank."""
    start: dict[str, torch.Tensor]

    def expect_close(self, other: Trained, rtol: float = 1e-4, atol: float = 1e-6) -> None:
        """Fail where another result differs by more than the order of additions can."""
        assert other.counts == self.counts
        for name in ("first", "losses", "figures"):
            torch.testing.assert_close(
                getattr(other, name), getattr(self, name), rtol=rtol, atol=atol, equal_nan=True
            )
        torch.testing.assert_close(other.weights, self.weights, rtol=rtol, atol=10 * atol)
        moved = [(self.weights[name] - self.start[name]).abs().max() for name in self.weights]
        assert max(moved) > 1e-3


def trained(package: str, settings: dict[str, Any], processes: Any = None) -> Trained:
    """Train two epochs; every process calls this, and rank zero has the weights."""
    trainers = importlib.import_module(f"{package}.training.trainer")
    read = importlib.import_module(f"{package}.training.settings").config_from_values
    single = importlib.import_module(f"{package}.distributed.processes").SINGLE
    settings = dict(settings)
    build_model = trainers.build_model
    if settings.pop("norm", False):
        trainers.build_model = normalized
    values = {"epochs": 2, "device": "cpu", "optimizer": SGD, **EXACT[package], **settings}
    trainer = trainers.Trainer(read(values, source="test"), processes or single)
    trainers.build_model = build_model
    start = {name: value.clone() for name, value in trainer.parallel.weights().items()}
    first = trainer.validate()
    losses = []
    for _ in range(trainer.config.epochs):
        for _ in trainer.steps():
            pass
        losses.append(trainer.finish_epoch()[0])
    return Trained(
        first=first.figures,
        counts=COUNTS[package](first.state),
        losses=losses,
        figures=trainer.validate().figures,
        weights=trainer.parallel.weights(),
        buffers=trainer.processes.gather(list(trainer.model.buffers())),
        start=start,
    )


def trained_by_two(jobs: list[tuple[str, dict[str, Any]]], results: Path) -> list[Trained]:
    """Let two processes do all jobs, one after the other."""
    # Not at the top: torchrun starts this file by itself, outside of its package.
    from .running import succeed

    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    succeed([sys.executable, "-m", *torchrun, __file__, json.dumps(jobs), str(results)])
    loaded = torch.load(results, map_location="cpu", weights_only=False)
    return [Trained(**each) for each in loaded]


def normalized(_: Any) -> nn.Module:
    """Build a model of the digits with running statistics."""

    class Normalized(nn.Sequential):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images)

    return Normalized(
        # No bias: the norm takes it out again.
        nn.Sequential(nn.Flatten(), nn.Linear(64, 8, bias=False), nn.BatchNorm1d(8)),
        nn.GELU(),
        nn.Linear(8, 10),
    )


def main(jobs: str, results: str) -> None:
    """Do all jobs in these processes; rank zero writes what came of each."""
    launched_processes = importlib.import_module("digits.distributed.processes").launched_processes
    with launched_processes() as processes:
        done = [trained(package, values, processes) for package, values in json.loads(jobs)]
        if processes.is_main:
            torch.save([dataclasses.asdict(each) for each in done], Path(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
