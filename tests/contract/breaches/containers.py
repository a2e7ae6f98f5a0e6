"""NN103, NN104: modules and parameters that no registry lists."""

import functools
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .entry import breaks


@breaks("NN103", at="layers[0]")
class InList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(4, 4), nn.ReLU()]

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


@breaks("NN103", at="layers[1]")
class InTuple(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = (torch.relu, nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers[0](self.layers[1](x))


@breaks("NN103", at="layers[0]")
class InSet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = {nn.Linear(4, 4)}

    def forward(self, x: Tensor) -> Tensor:
        return sum(layer(x) for layer in self.layers)


@breaks("NN103", at="heads['main']")
class InDict(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.heads = {"main": nn.Linear(4, 4)}

    def forward(self, x: Tensor) -> Tensor:
        return self.heads["main"](x)


@breaks("NN103", at="stages['early'][0]")
class InNestedContainers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stages = {"early": [nn.Linear(4, 4)], "late": [nn.Dropout(0.5)]}

    def forward(self, x: Tensor) -> Tensor:
        return self.stages["late"][0](self.stages["early"][0](x))


@breaks("NN103", at="inner.layers[0]")
class InListOfChild(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = InList()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


@dataclass
class Parts:
    encoder: nn.Module
    weight: Any = None


@breaks("NN103", at="parts.encoder")
class InDataclass(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.parts = Parts(nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.parts.encoder(x)


def apply(module: nn.Module, x: Tensor) -> Tensor:
    return module(x)


@breaks("NN103", at="step[0]")
class InPartial(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.step = functools.partial(apply, nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.step(x)


@breaks("NN103", at="step.__self__")
class AsBoundMethod(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Linear(4, 4).forward

    def forward(self, x: Tensor) -> Tensor:
        return self.step(x)


@breaks("NN103", at="hidden")
class PastTheRegistry(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.__dict__["hidden"] = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.hidden(x)


@breaks("NN103", at="layers[0] … layers[47]")
class ManyInList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(4, 4) for _ in range(48)]

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + 0.1 * layer(x)
        return x


@breaks("NN104", at="weights[0] … weights[1]")
class ParametersInList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = [nn.Parameter(torch.ones(4)) for _ in range(2)]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weights[0] + self.weights[1]


@breaks("NN104", at="weights['scale']")
class ParametersInDict(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = {"scale": nn.Parameter(torch.ones(4))}

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weights["scale"]


@breaks("NN104", at="weights[0]")
class ParametersInTuple(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = (nn.Parameter(torch.ones(4)),)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weights[0]


@breaks("NN104", at="parts.weight")
class ParameterInDataclass(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.parts = Parts(nn.Identity, nn.Parameter(torch.ones(4)))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.parts.weight
