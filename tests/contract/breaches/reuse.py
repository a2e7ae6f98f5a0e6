"""NN206, NN207: what one call leaves for the next, in tensors and in numbers."""

import functools
from types import SimpleNamespace

import torch
from stated import WithLinear
from torch import Tensor, nn

from .entry import breaks


def sequences(batch: int) -> tuple[Tensor]:
    return (torch.randn(batch, 5, 4),)


def same_sequences(batch: int) -> tuple[int, ...]:
    return (batch, 5, 4)


@breaks("NN206", at="steps", inputs=sequences, shape=same_sequences)
class KeepsStepsByLength(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.steps: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.steps is None or self.steps.shape[0] != x.shape[1]:
            self.steps = torch.arange(x.shape[1], device=x.device, dtype=x.dtype)[:, None]
        return self.linear(x) + self.steps


@breaks("NN206", at="steps", inputs=sequences, shape=same_sequences)
class KeepsStepsOfFirstLength(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.steps: dict[torch.dtype, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype not in self.steps or self.steps[x.dtype].device != x.device:
            steps = torch.arange(x.shape[1], device=x.device, dtype=x.dtype)
            self.steps[x.dtype] = steps[:, None]
        return self.linear(x) + self.steps[x.dtype]


@breaks("NN206", at="steps", inputs=sequences, shape=same_sequences)
class KeepsStepsOfEachLength(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.steps: dict[object, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        key = (x.shape[1], x.dtype, x.device)
        if key not in self.steps:
            self.steps[key] = torch.arange(key[0], device=x.device, dtype=x.dtype)[:, None]
        return self.linear(x) + self.steps[key].clone()


@breaks("NN206", at="rows")
class KeepsRowsOfFirstBatch(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.rows: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.rows is None:
            self.rows = torch.zeros_like(x)
        return self.linear(x) + self.rows


@breaks("NN206", at="squared")
class KeepsWhatItsWeightGives(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((4,), 2.0))
        self.squared: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return x * self.weight.square()
        if self.squared is None:
            self.squared = self.weight.detach().square()
        return x * self.squared


@breaks("NN206", at="scale", inputs=sequences, shape=same_sequences)
class KeepsInferenceTensor(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.scale: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        scale = self.scale
        if scale is None or (scale.dtype, scale.device) != (x.dtype, x.device):
            self.scale = scale = torch.full((4,), 2.0, dtype=x.dtype, device=x.device)
        return self.linear(x) * scale


@breaks("NN206", at="ramp", inputs=sequences, shape=same_sequences)
class CachesItsMethod(WithLinear):
    @functools.cache  # noqa: B019
    def ramp(self, length: int) -> list[float]:
        return [step / length for step in range(length)]

    def forward(self, x: Tensor) -> Tensor:
        ramp = torch.tensor(self.ramp(x.shape[1]), dtype=x.dtype, device=x.device)
        return self.linear(x) + ramp[:, None]


@functools.cache
def ramp_of(length: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.linspace(0, 1, length, device=device, dtype=dtype)[:, None]


@breaks("NN206", at="reuse.py", inputs=sequences, shape=same_sequences)
class CachesAFunctionWithoutBound(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + ramp_of(x.shape[1], x.device, x.dtype)


@functools.lru_cache(maxsize=64)
def doubled(x: Tensor) -> Tensor:
    return x * 2


@breaks("NN206", at="reuse.py")
class CachesAFunctionOfTensors(WithLinear):
    """No tensor is found again, and the cache keeps the last 64 batches alive."""

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(doubled(x))


@breaks("NN207", at="steps")
class CountsItsCalls(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        return self.linear(x) + self.steps


@breaks("NN207", at="started")
class StartsInFirstBatch(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(4))
        self.started = False

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x) - self.mean
        if self.training and not self.started:
            self.started = True
            with torch.no_grad():
                self.mean.copy_(x.mean(0))
        return y


@breaks("NN207", at="progress.steps")
class CountsInObject(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.progress = SimpleNamespace(steps=0)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.progress.steps += 1
        return self.linear(x) * 0.5**self.progress.steps


@breaks("NN207", at="turns")
class TakesTurns(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))
        self.turns = [0, 1]

    def forward(self, x: Tensor) -> Tensor:
        y = sum(layer(x) * (2 + turn) for layer, turn in zip(self.layers, self.turns, strict=True))
        if self.training:
            self.turns.reverse()
        return y
