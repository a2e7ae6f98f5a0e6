"""Start training and end after its first step: the generated way, or a bare script's.

Usage: python training_start.py PACKAGE ours|theirs STARTED

It prints how many seconds after the moment STARTED, by `time.time()`, the step was taken.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from typing import Any


def ours(package: str) -> None:
    """Train as the command does; the first step is the last."""
    train: Any = importlib.import_module(f"{package}.train")
    trainers: Any = importlib.import_module(f"{package}.training.trainer")
    take_step = trainers.Trainer._take_step

    def first(trainer: Any, batches: Any) -> None:
        take_step(trainer, batches)
        end()

    trainers.Trainer._take_step = first
    with tempfile.TemporaryDirectory() as folder:
        train.main(["--output-dir", f"{folder}/run"])


def theirs(package: str) -> None:
    """Do what a script of one page does: data, model, AdamW, one step."""
    torch: Any = importlib.import_module("torch")
    data, models, objective, settings = (
        importlib.import_module(f"{package}.task.{name}")
        for name in ("data", "model", "objective", "settings")
    )
    splits = data.splits(settings.DataConfig())
    model = models.build_model(settings.ModelConfig())
    optimizer = torch.optim.AdamW(model.parameters())
    loader = torch.utils.data.DataLoader(
        splits.train, batch_size=64, shuffle=True, collate_fn=splits.collate
    )
    for batch in loader:
        loss = objective.loss(model, batch)
        optimizer.zero_grad()
        (loss.sum / loss.count).backward()
        optimizer.step()
        end()


def end() -> None:
    """Print how long it took, and end."""
    print(time.time() - float(sys.argv[3]), flush=True)
    sys.exit()


if __name__ == "__main__":
    {"ours": ours, "theirs": theirs}[sys.argv[2]](sys.argv[1])
