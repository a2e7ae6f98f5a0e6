"""NN301, NN302, NN404, NN405, NN501, NN108: devices, host, shapes, pickles, initial values."""

import threading
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import breaks


class WithLinear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)


@breaks("NN301", at="devices.py")
class InputToCuda(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.cuda())


@breaks("NN301", at="devices.py")
class FactoryOnCuda(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + torch.zeros(4, device="cuda:0")


@breaks("NN301", at="devices.py")
class MovedToDeviceObject(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.to(torch.device("cuda")))


@breaks("NN301", at="devices.py")
class BuiltOnCuda(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4).to("cuda")

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


@breaks("NN301", at="devices.py")
class DefaultsToCuda(nn.Module):
    def __init__(self, where: str = "cuda") -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(4, device=where))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


@breaks("NN301", at="devices.py")
class FactoryOnCpu(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + torch.zeros(4, device="cpu")


@breaks("NN301", at="devices.py")
class DeviceFixedAtBuild(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.to(self.device))


@breaks("NN301", at="devices.py")
class DeviceByIndex(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.to(0))


@breaks("NN302", at="devices.py")
class Zeros(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + torch.zeros(x.shape[0], 1)


@breaks("NN302", at="devices.py")
class Positions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Embedding(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.positions(torch.arange(x.shape[1])).squeeze(-1)


@breaks("NN302", at="devices.py")
class Literal(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * torch.tensor([1.0, 2.0, 3.0, 4.0])


@breaks("NN302", at="devices.py")
class Identity(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) @ torch.eye(4)


@breaks("NN302", at="devices.py")
class NoiseInTraining(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        return y + 0.1 * torch.randn(y.shape) if self.training else y


@breaks("NN302", at="devices.py", shape=lambda batch: ((batch, 4), (batch,)))
class ReturnedTensor(WithLinear):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.linear(x), torch.arange(x.shape[0])


@breaks("NN404", at="devices.py")
class Item(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) / x.detach().abs().max().item()


@breaks("NN404", at="devices.py")
class Float(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * float(x.detach().mean())


@breaks("NN404", at="devices.py")
class Int(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * int(x.detach().abs().amax())


@breaks("NN404", at="devices.py")
class ToList(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * len(x.detach().mean(0).tolist())


@breaks("NN404", at="devices.py")
class Cpu(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        order = x.detach()[0].cpu().argsort()
        return self.linear(x)[:, order]


@breaks("NN404", at="devices.py")
class ToCpu(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.to("cpu"))


@breaks("NN404", at="devices.py")
class Numpy(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * x.detach().numpy().shape[0]


@breaks("NN404", at="devices.py")
class ItemInTraining(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        if self.training:
            self.last_norm = y.detach().norm().item()
        return y


@breaks("NN405", at="devices.py")
class SqueezesAll(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x[:, None]).squeeze()


@breaks("NN405", at="devices.py")
class SqueezesThenIndexes(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        y = torch.squeeze(self.linear(x)[:, None])
        return y / y.norm(dim=1, keepdim=True)


@breaks("NN405", at="devices.py", shape=lambda batch: (batch,))
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
