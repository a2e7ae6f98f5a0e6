"""NN108, NN405, NN501: initial values, shapes and what pickle refuses."""

import threading
from typing import Any

import torch
import torch.nn.functional as F
from stated import WithLinear
from torch import Tensor, nn

from .entry import breaks


@breaks("NN405", at="values.py")
class SqueezesAll(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x[:, None]).squeeze()


@breaks("NN405", at="values.py")
class SqueezesThenIndexes(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        y = torch.squeeze(self.linear(x)[:, None])
        return y / y.norm(dim=1, keepdim=True)


@breaks("NN405", at="values.py", shape=lambda batch: (batch,))
class SqueezesScore(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).squeeze()


@breaks("NN501", at="activation")
class Lambda(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.activation = lambda x: x.relu()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.linear(x))


@breaks("NN501", at="activation")
class LocalFunction(WithLinear):
    def __init__(self, slope: float = 0.1) -> None:
        super().__init__()

        def leaky(x: Tensor) -> Tensor:
            return F.leaky_relu(x, slope)

        self.activation = leaky

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.linear(x))


@breaks("NN501", at="steps['double']")
class LambdaInDict(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.steps = {"double": lambda x: 2 * x}

    def forward(self, x: Tensor) -> Tensor:
        return self.steps["double"](self.linear(x))


@breaks("NN501", at="lock")
class Lock(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def forward(self, x: Tensor) -> Tensor:
        with self.lock:
            return self.linear(x)


@breaks("NN501", at="inner.activation")
class ChildWithLambda(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Lambda()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


class Scaled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


@breaks("NN108", at="weight")
class Empty(Scaled):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4))


@breaks("NN108", at="weight")
class EmptyByConstructor(Scaled):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.Tensor(4))


@breaks("NN108", at="weight")
class HalfWritten(Scaled):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4))
        with torch.no_grad():
            self.weight[:2] = 1


@breaks("NN108", at="weight")
class Resized(Scaled):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2).resize_(4))


@breaks("NN108", at="index")
class EmptyIndex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.index = nn.Parameter(torch.empty(4, dtype=torch.int64), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.index.clamp(0, 3)]


@breaks("NN108", at="linear.weight")
class EmptiedChild(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.linear.to_empty(device="cpu")

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


@breaks("NN108", at="weight")
class NoReset(Scaled):
    """Sound as it is built, and lost when it is built on the meta device."""

    def __init__(self, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, device=device, dtype=dtype))


@breaks("NN108", at="table")
class ResetForgetsBuffer(nn.Module):
    def __init__(self, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4, device=device, dtype=dtype))
        table = torch.linspace(0, 1, 4, device=device, dtype=dtype)
        self.register_buffer("table", table, persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight + self.table
