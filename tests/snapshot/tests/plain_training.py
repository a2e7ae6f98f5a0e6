"""A run whose model has no dropout, and batch statistics only where it is told to."""

import functools
import json
import sys
from pathlib import Path

import torch
from torch import nn

from digit_classifier import training
from digit_classifier.command import run_command
from digit_classifier.config import ModelConfig, TrainConfig
from digit_classifier.config_file import config_from_values
from digit_classifier.distributed import Processes, launched_processes


def plain_classifier(config: ModelConfig, norm: bool) -> nn.Module:
    """Build a model in which, without the norm, each image stands for itself."""
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1) if norm else nn.Identity()),
        nn.Sequential(nn.Flatten(), nn.Linear(64, config.hidden_features)),
        nn.Tanh(),
        nn.Linear(config.hidden_features, 10),
    )


def main(settings: str, result: Path, norm: bool) -> None:
    """Train for all epochs; rank zero writes the weights, the losses and the predictions."""
    vars(training)["build_classifier"] = functools.partial(plain_classifier, norm=norm)
    config = config_from_values(json.loads(settings), source="test")
    with launched_processes() as processes:
        train(config, processes, result)


def train(config: TrainConfig, processes: Processes, result: Path) -> None:
    """Hold the trainer, which has to be gone when the processes part."""
    trainer = training.Trainer(config, processes)
    losses = [trainer.train_epoch(lambda: None) for _ in range(config.epochs)]
    evaluation = trainer.validate()
    weights = trainer.strategy.weights(trainer.model)
    buffers = processes.gather(list(trainer.model.buffers()))
    if processes.is_zero:
        values = {
            "losses": losses,
            "weights": weights,
            "buffers": buffers,
            "loss": evaluation.loss,
            "predictions": evaluation.predictions,
            "labels": evaluation.labels,
        }
        torch.save(values, result)


if __name__ == "__main__":
    sys.exit(
        run_command(lambda: main(sys.argv[1], Path(sys.argv[2]), norm=sys.argv[3:] == ["norm"]))
    )
