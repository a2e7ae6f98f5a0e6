"""A run whose task has a fault: `python broken_runs.py FAULT ARGUMENT...`."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import Any

from fourth.command import run_command
from fourth.task.data import Days, splits
from fourth.train import main
from torch import nn


class Broken(Days):
    """Samples that cannot be read."""

    fault = ""

    def __getitem__(self, index: int) -> dict[str, Any]:
        if self.fault == "file":
            raise OSError("cannot identify image file '3.png'")
        if self.fault == "value":
            raise ValueError("a fault of the task's own")
        os._exit(3)


def broken(config: Any) -> Any:
    """Make the samples."""
    days = Broken(48, seed=0, noise=None)
    days.fault = FAULT
    return dataclasses.replace(splits(config), train=days)


if __name__ == "__main__":
    from fourth.training import sampling, trainer

    _, FAULT, *arguments = sys.argv
    if FAULT == "unreached":
        build = trainer.build_model

        def build_model(config: Any) -> nn.Module:
            model = build(config)
            model.extra = nn.Linear(2, 2)
            return model

        trainer.build_model = build_model
    else:
        sampling.splits = broken
    sys.exit(run_command(lambda: main(arguments)))
