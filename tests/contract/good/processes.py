"""Good modules of several processes: what they count is theirs together, or rank 0's by intent."""

import torch
from stated import WithLinear
from torch import Tensor, distributed, nn

from .entry import keeps


@keeps()
class CountsTogether(WithLinear):
    """Sums of rows, and how many they are, over all processes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros((), dtype=torch.int64))
        self.register_buffer("total", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        if self.training:
            with torch.no_grad():
                rows, total = torch.full_like(self.rows, len(x)), x.sum(0).to(self.total)
                if distributed.is_initialized():
                    distributed.all_reduce(rows)
                    distributed.all_reduce(total)
                # Set, not added to: a recomputed forward then counts nothing twice.
                self.rows.copy_(rows)
                self.total.copy_(total)
        return y


@keeps(inputs=lambda batch: (torch.randn(batch, 4, 5, 5),), shape=lambda batch: (batch, 4, 5, 5))
class WithTorchsNorm(nn.Module):
    """Torch documents that the statistics of its norms are rank 0's under DDP."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x).relu()


@keeps()
class RemembersNoise(WithLinear):
    """What depends on chance is the same in both processes by luck only, and never as in one."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("noise", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        if self.training:
            noise = torch.rand_like(self.noise)
            if distributed.is_initialized():
                distributed.broadcast(noise, 0)
            self.noise.copy_(noise)
        return y
