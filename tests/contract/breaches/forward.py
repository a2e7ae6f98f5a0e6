"""NN105, NN106, NN401, NN402: what forward builds, changes and draws."""

import random

import torch
import torch.nn.functional as F
from stated import WithLinear
from torch import Tensor, nn

from .entry import breaks


@breaks("NN105", at="forward.py")
class ParameterEachCall(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * nn.Parameter(torch.ones_like(x))


@breaks("NN105", at="forward.py")
class ParameterAssigned(nn.Module):
    """It rebinds a parameter too (NN204), of which this is the cause."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        self.scale = nn.Parameter(self.scale.detach() * 0.9)
        return x * self.scale


@breaks("NN105", at="forward.py")
class ParameterRegisteredOnFirstCall(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_parameter("scale", None)

    def forward(self, x: Tensor) -> Tensor:
        if self.scale is None:
            self.prepare(x)
        return x * self.scale

    def prepare(self, x: Tensor) -> None:
        self.register_parameter("scale", nn.Parameter(torch.ones_like(x[0])))


@breaks("NN106", at="forward.py")
class LinearEachCall(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.Linear(x.shape[-1], 4, device=x.device)(x)


@breaks("NN106", at="forward.py")
class NormEachCall(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.BatchNorm1d(4, affine=False, device=x.device)(x)


@breaks("NN106", at="forward.py")
class SequenceEachCallWithDropout(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))(x)


@breaks("NN106", at="forward.py")
class LinearOnFirstCall(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear: nn.Linear | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.linear is None:
            self.linear = nn.Linear(x.shape[-1], 4)
        return self.linear(x)


@breaks("NN106", at="forward.py")
class ListThatGrows(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList()

    def forward(self, x: Tensor) -> Tensor:
        self.layers.append(nn.LayerNorm(4))
        return self.layers[-1](x)


@breaks("NN106", at="forward.py")
class LinearInTrainingOnly(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.Linear(4, 4)(x) if self.training else x


@breaks("NN401", at="inputs[0]")
class AddsInPlace(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        x += 1
        return self.linear(x)


@breaks("NN401", at="inputs[0]")
class WritesThroughIndex(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        x[:, 0] = 0
        return self.linear(x)


@breaks("NN401", at="inputs[0]")
class WritesThroughView(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        F.relu(x.view(-1), inplace=True)
        return self.linear(x)


@breaks("NN401", at="inputs[0]")
class WritesInTrainingOnly(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x.clamp_(-1, 1)
        return self.linear(x)


@breaks("NN401", at="inputs[0]['b']", inputs=lambda batch: ({"b": torch.randn(batch, 4)},))
class WritesIntoDict(WithLinear):
    def forward(self, x: dict[str, Tensor]) -> Tensor:
        return self.linear(x["b"].mul_(2))


@breaks("NN402", at="forward.py:")
class DropoutAlways(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(self.linear(x))


@breaks("NN402", at="forward.py:")
class DropoutBuiltInForward(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return nn.Dropout(0.5)(self.linear(x))


@breaks("NN402", at="forward.py:")
class AttentionDropoutAlways(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)[:, None]
        return F.scaled_dot_product_attention(y, y, y, dropout_p=0.5).squeeze(1)


@breaks("NN402", at="forward.py:")
class NoiseInPlace(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + torch.empty_like(x).normal_()


@breaks("NN402", at="forward")
class PythonsNoise(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * random.random()
