"""NN107, NN109, NN112, NN201: what is registered wrongly, twice, in vain or not at all."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .entry import breaks


@breaks("NN107", at="weight")
class ScaledParameter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4)) * 0.1

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


@breaks("NN107", at="weight")
class ConvertedParameter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, dtype=torch.float64)).float()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


@breaks("NN107", at="weight")
class ReshapedParameter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 2)).view(4)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


@breaks("NN107", at="weights[0]")
class HalvedParameterInList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = [nn.Parameter(torch.randn(4)).half()]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weights[0].to(x)


@breaks("NN107", at="weight")
class ParameterMovedByArgument(nn.Module):
    """Only another device shows it: `.to()` returns the same object where nothing changes."""

    def __init__(self, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, dtype=dtype)).to(device or "cpu")

    def reset_parameters(self) -> None:
        nn.init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


@breaks("NN107", at="weight")
class ParameterConvertedByArgument(nn.Module):
    def __init__(self, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, device=device)).to(dtype or torch.float32)

    def reset_parameters(self) -> None:
        nn.init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class InSequence(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


@breaks("NN109", at="layers.1")
class RepeatedInList(InSequence):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4)] * 3)


@breaks("NN109", at="layers.2")
class RepeatedInSequential(InSequence):
    def __init__(self) -> None:
        super().__init__()
        linear = nn.Linear(4, 4)
        self.layers = nn.Sequential(linear, nn.ReLU(), linear)


@breaks("NN109", at="heads.b")
class RepeatedInDict(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        head = nn.Linear(4, 4)
        self.heads = nn.ModuleDict({"a": head, "b": head})

    def forward(self, x: Tensor) -> Tensor:
        return self.heads["a"](x) + self.heads["b"](x)


@breaks("NN112", at="skipped")
class UnusedLinear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.skipped = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


@breaks("NN112", at="head")
class UnusedBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.head = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


@breaks("NN112", at="experts.1")
class UnusedItem(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.experts[0](x)


@breaks("NN201", at="scale")
class TensorAttribute(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.full((4,), 2.0)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


@breaks("NN201", at="offsets[1]")
class TensorsInList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.offsets = [torch.randn(4) for _ in range(2)]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.offsets[0] + self.offsets[1]


@breaks("NN201", at="tables['positions']")
class TensorsInDict(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tables = {"positions": torch.arange(4)}

    def forward(self, x: Tensor) -> Tensor:
        return x + self.tables["positions"]


@breaks("NN201", at="prior")
class DistributionOnSelf(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.prior = torch.distributions.Normal(torch.zeros(4), torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.prior.log_prob(x)


@breaks("NN201", at="scale")
class LeafThatShouldLearn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.ones(4, requires_grad=True)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


MEANS = torch.full((4,), 0.5)


@breaks("NN201", at="attributes.py")
class TensorOfTheFile(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x - MEANS)
