"""Training after somebody has changed the model."""

import sys

from torch import nn

from digit_classifier import train, training
from digit_classifier.command import run_command
from digit_classifier.config import ModelConfig


def other_classifier(_: ModelConfig) -> nn.Module:
    """Build a model of other parts than the project's."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


if __name__ == "__main__":
    vars(training)["build_classifier"] = other_classifier
    sys.exit(run_command(lambda: train.main(sys.argv[1:])))
