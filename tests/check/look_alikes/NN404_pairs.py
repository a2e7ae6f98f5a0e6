"""What `zip`, `enumerate` and a returned tuple pair keeps its place: only tensors are fetched."""

import enum

import torch
from torch import nn


class Key(enum.Enum):
    """What an input is."""

    IMAGE = 0
    MASK = 1


class Augment(nn.Module):
    """Branches on the keys, never on the tensors beside them."""

    def forward(self, inputs: list[torch.Tensor], keys: list[Key]) -> list[torch.Tensor]:
        outputs = []
        for key, image in zip(keys, inputs, strict=True):
            if key == Key.IMAGE:
                image = image * 0.5
            elif key == Key.MASK:
                image = image > 0.5
            outputs.append(image)
        return outputs


class Levels(nn.Module):
    """A helper returns a tensor and a plain number."""

    def first(self, x: torch.Tensor) -> tuple[torch.Tensor, float]:
        return x * 2, 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        level, distance = self.first(x)
        distance *= 2.0
        if distance > 1.5:
            level = level * distance
        return level
