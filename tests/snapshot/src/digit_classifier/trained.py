"""A trained model, as evaluation, predictions and exports take it."""

import dataclasses
from pathlib import Path

from torch import nn

from .checkpoint import Weights, load_state, same_model_expected
from .classifier import build_classifier


@dataclasses.dataclass(frozen=True)
class Trained:
    """A model with the weights of a run."""

    model: nn.Module
    """On the CPU, in evaluation mode."""
    weights: Weights
    """What the checkpoint holds: the weights, and the settings that they were trained with."""


def load_trained(path: Path) -> Trained:
    """Read the weights of a run, such as runs/digits/best.pt, and build their model."""
    weights = load_state(Weights, path)
    model = build_classifier(weights.config.model)
    with same_model_expected(path):
        model.load_state_dict(weights.model)
    return Trained(model.eval(), weights)
