"""Faults that show only where two processes share a batch."""

import os

import torch
from stated import WithLinear
from torch import Tensor, distributed, nn

from .entry import fails


class Tracks(WithLinear):
    """It keeps the mean of its rows; how processes get to one mean is for the faults."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        if self.training:
            with torch.no_grad():
                self.track(x)
        return y

    def track(self, x: Tensor) -> None:
        self.mean.copy_(x.sum(0) / max(len(x), 1))


@fails("two_processes", says="its parts come in another order in another process")
class OrderedByHash(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for name in {*"abcdefghijklmnop"}:
            self.add_module(name, nn.LayerNorm(4))

    def forward(self, x: Tensor) -> Tensor:
        for name in sorted(self._modules):
            x = x + self.get_submodule(name)(x)
        return x


@fails("two_processes", says="mean: differs between the processes. Reduce in training")
class TracksAlone(Tracks):
    """Under DDP the checkpoint then tells what rank 0 saw."""


@fails("two_processes", says="mean: is not what one process makes of the whole batch: output[0]")
class AveragesUnequalShares(Tracks):
    def track(self, x: Tensor) -> None:
        super().track(x)
        if distributed.is_initialized():
            distributed.all_reduce(self.mean)
            self.mean.div_(distributed.get_world_size())


@fails("two_processes", says="a process waits for the other one, which does not take part")
class LeavesOutAnEmptyShare(Tracks):
    def track(self, x: Tensor) -> None:
        total = torch.cat((x.sum(0), torch.full_like(self.mean[:1], len(x))))
        if distributed.is_initialized() and len(x):
            distributed.all_reduce(total)
        self.mean.copy_(total[:4] / total[4].clamp(min=1))


@fails("two_processes", says="whole batch where one has an empty shard: output[0]")
class WeighsAnEmptyShare(Tracks):
    def track(self, x: Tensor) -> None:
        total = torch.cat((x.sum(0), torch.full_like(self.mean[:1], max(len(x), 1))))
        if distributed.is_initialized():
            distributed.all_reduce(total)
        self.mean.copy_(total[:4] / total[4])


@fails("two_processes", says="linear.weight: has another gradient than in a single process")
class ScalesByProcesses(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        size = distributed.get_world_size() if distributed.is_initialized() else 1
        return self.linear(x) * size


@fails(
    "two_processes",
    says="a parameter gets no gradient in one of two processes, and DDP waits for it",
    opt_out={"export": "it decides by the size of the batch"},
)
class LeavesOutOfASmallShare(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        return y * self.scale if len(x) > 2 else y


def grouped() -> bool:
    return distributed.is_initialized() and distributed.get_world_size() > 1


@fails("two_processes", says="on 2 processes raises ValueError: alone, please")
class RefusesCompany(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        if grouped():
            raise ValueError("alone, please")
        return self.linear(x)


@fails("two_processes", says="ends with code 7 when the module is trained on 2 processes")
class EndsItsProcess(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        if grouped():
            os._exit(7)
        return self.linear(x)
