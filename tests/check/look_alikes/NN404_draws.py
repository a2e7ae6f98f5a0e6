"""A draw on the default device waits for no input: only its host decides with it."""

import torch
from torch import nn


class Randomly(nn.Module):
    """Flips a coin for the whole batch."""

    def __init__(self, transform: nn.Module, p: float = 0.5) -> None:
        super().__init__()
        self.transform = transform
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.rand(1) >= self.p:
            return x
        return self.transform(x)


class ZoomOut(nn.Module):
    """Draws the size of a canvas from the size of the image."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low = low
        self.high = high

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        height, width = image.shape[-2:]
        factor = self.low + torch.rand(1) * (self.high - self.low)
        right = int(width * factor) - width
        bottom = int(height * factor) - height
        return nn.functional.pad(image, (0, right, 0, bottom))


class Choice(nn.Module):
    """Draws one of several."""

    def __init__(self, transforms: list[nn.Module], p: list[float]) -> None:
        super().__init__()
        self.transforms = nn.ModuleList(transforms)
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        chosen = int(torch.multinomial(torch.tensor(self.p), 1))
        return self.transforms[chosen](x)
