"""The model of a store's days."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .data import READINGS, STORES
from .settings import ModelConfig


class DayModel(nn.Module):
    """Predict the sales of a day, and whether something was sold out.

    Args:
        config: widths, dropout and activation
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(STORES, config.embedding) if config.embedding else None
        width = READINGS + (config.embedding or 0)
        self.layers = nn.ModuleList()
        for each, dropout in zip(config.widths, config.dropouts, strict=True):
            self.layers.append(nn.Sequential(nn.Linear(width, each), nn.Dropout(dropout)))
            width = each
        self.heads = nn.ModuleDict({name: nn.Linear(width, 1) for name in config.heads})
        for name, bias in config.heads.items():
            nn.init.constant_(self.heads.get_submodule(name).bias, bias)
        self.activation = getattr(functional, config.activation)

    def forward(self, readings: Tensor, store: Tensor) -> dict[str, Tensor]:
        """Return ``{"sales": (N,), "sold_out": (N,)}``."""
        x = readings
        if self.embedding is not None:
            x = torch.cat([x, self.embedding(store)], dim=1)
        for layer in self.layers:
            x = self.activation(layer(x))
        return {name: head(x).squeeze(1) for name, head in self.heads.items()}


def build_model(config: ModelConfig) -> nn.Module:
    """Build the model of these settings, with fresh weights, on the CPU."""
    return DayModel(config)
