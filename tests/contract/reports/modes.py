"""Children that are to stay in eval mode."""

import torch
from torch import Tensor, nn

from .entry import corrected, reported


def frozen_backbone() -> nn.Sequential:
    backbone = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU())
    backbone.requires_grad_(False).eval()
    return backbone


# pgniewko/gt-pyg#112, pytorch/pytorch#66073: the next `train()` thaws what the constructor froze.
@reported("mode_switch", "backbone")
class ThawsBackbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = frozen_backbone()
        self.head = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x))


@corrected()
class KeepsBackboneFrozen(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = frozen_backbone()
        self.head = nn.Linear(4, 4)

    def train(self, mode: bool = True) -> "KeepsBackboneFrozen":
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x))


# jfzhang95/pytorch-deeplab-xception#140: single norms, in a loop of the constructor.
@reported("mode_switch", "norms.0")
class ThawsNorms(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))
        self.norms = nn.ModuleList(nn.BatchNorm1d(4) for _ in range(2))
        for norm in self.norms:
            norm.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = norm(layer(x))
        return x


class FrozenBatchNorm(nn.BatchNorm1d):
    def train(self, mode: bool = True) -> "FrozenBatchNorm":
        super().train(False)
        return self


@corrected()
class FrozenByItself(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.norm = FrozenBatchNorm(4).eval()
        self.norm.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.linear(x))


# A subclass of a norm of torch's counts its batches as that one does.
class ScaledBatchNorm(nn.BatchNorm1d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 2


@corrected()
class NormOfItsOwn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.norm = ScaledBatchNorm(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.linear(x))


@corrected()
class MaskedByBoolean(nn.Module):
    """A boolean mask as an index: vmap refuses it, and nothing is wrong with it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x).clone()
        y[x > 0] = 0.0
        return y


@corrected()
class NumbersOfTheHost(nn.Module):
    """A value fetched from a tensor that was made on the host of numbers: no GPU waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.depth = 3

    def forward(self, x: Tensor) -> Tensor:
        rates = [rate.item() for rate in torch.linspace(0.1, 1.0, self.depth)]
        for rate in rates:
            x = x + rate * self.linear(x).tanh()
        return x
