"""NN301, NN302, NN404: devices named and forgotten, values fetched to the host."""

import torch
from stated import WithLinear
from torch import Tensor, nn

from .entry import breaks


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
