"""State that no state dict has: flags and counters of Python, and what only one process knows."""

import torch
from torch import Tensor, nn

from .entry import corrected, reported


# bayesiains/nflows#4: a flag on the module says whether the first batch has set the scale.
@reported("NN207", "initialized")
class ScaleOfFirstBatch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.initialized = False
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not self.initialized:
            with torch.no_grad():
                self.scale.copy_(1 / (x.std(0, correction=0) + 1e-6))
            self.initialized = True
        return x * self.scale


@corrected(opt_out={"two_processes": "the first batch of each process sets the scale"})
class ScaleOfFirstBatchSaved(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("initialized", torch.zeros((), dtype=torch.bool))
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                first = 1 / (x.std(0, correction=0) + 1e-6)
                self.scale.copy_(torch.where(self.initialized, self.scale, first))
                self.initialized.fill_(True)
        return x * self.scale


# cweniger/falcon#115: the flag beside running statistics is not saved with them.
@reported("NN207", "initialized")
class StatisticsSeeded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("mean", torch.zeros(4))
        self.initialized = False

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x) - self.mean
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(x.mean(0), 0.1 if self.initialized else 1.0)
                self.initialized = True
        return y


@corrected(opt_out={"two_processes": "its mean is of one process alone"})
class StatisticsFromZero(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x) - self.mean
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(x.mean(0), 0.1)
        return y


# pytorch/pytorch#154867: a count that forward raises and multiplies by.
@reported("NN207", "calls")
class CountInTraining(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
        return self.linear(x) / (1 + self.calls)


@corrected(inputs=lambda batch: (torch.randn(batch, 4), 3))
class CountOfTheCaller(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor, calls: int) -> Tensor:
        return self.linear(x) / (1 + calls)


# pytorch/pytorch#128319: a count that nothing in forward reads is harmless but for the compiler.
@corrected()
class CountForTheLog(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.linear(x)


# david-knigge/ccnn#14: the flag is a buffer, but one that is not saved.
@reported("resumption", "something outside the state dict")
class FlagNotPersistent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("ready", torch.zeros((), dtype=torch.bool), persistent=False)
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                first = 1 / (x.std(0, correction=0) + 1e-6)
                self.scale.copy_(torch.where(self.ready, self.scale, first))
                self.ready.fill_(True)
        return self.linear(x) * self.scale


# rosinality/glow-pytorch#6: another batch after loading sets the values again.
@reported("NN207", "seen")
class ShiftOfFirstBatch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(4))
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not self.seen:
            with torch.no_grad():
                self.shift.copy_(-x.mean(0))
            self.seen.append(x.shape[0])
        return x + self.shift


# lucidrains/performer-pytorch#33: a projection that only the first call registers.
@reported("NN203", "projection")
class ProjectionOfFirstCall(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "projection"):
            self.register_buffer("projection", torch.randn(4, 4, device=x.device, dtype=x.dtype))
        return self.linear(x) @ self.projection


# IDinsight/mosaiks#138: random features that no seed and no state dict give back.
@reported("loaded_output", "something outside the state dict")
class RandomFeatures(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("features", torch.randn(4, 4), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) @ self.features


@corrected()
class RandomFeaturesSaved(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("features", torch.randn(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) @ self.features


# pytorch/pytorch#63916: a buffer that is assigned anew is not the one that DDP broadcasts.
@reported("NN203", "noise")
class BufferAssigned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("noise", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.noise = torch.randn_like(self.noise)
        return self.linear(x) + self.noise
