"""Forwards that look as if they broke a rule."""

import random
from collections import deque
from typing import Any

import torch
import torch.nn.functional as F
from stated import WithLinear
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .entry import keeps


@keeps()
class NothingToLearn(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sigmoid() * x


@keeps()
class ParameterlessBuiltInForward(WithLinear):
    """A ReLU, a Softmax or a loss has no state, so it may be built anywhere."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.Softmax(dim=-1)(nn.ReLU()(self.linear(x)))


@keeps()
class NewestDetached(WithLinear):
    """One detached tensor that each call replaces is legal; so is a bounded queue."""

    def __init__(self) -> None:
        super().__init__()
        self.last: Tensor | None = None
        self.recent: deque[int] = deque(maxlen=100)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        self.last = y.detach()
        self.recent.append(x.shape[0])
        self.calls += 1
        return y


@keeps(shape=lambda batch: ((batch, 4), (batch, 4)))
class StateIsPassed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(4, 4)

    def forward(self, x: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        new = self.cell(x, torch.zeros_like(x) if hidden is None else hidden)
        return new * 2, new


@keeps()
class FactoriesThatFollow(WithLinear):
    """Moved at once, of no dimension, `*_like` and `new_*`: all stay with the input."""

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(4).to(x.device)
        ramp = torch.linspace(0, 1, 4, device=x.device, dtype=x.dtype)
        scale = torch.tensor(0.5)
        ones = torch.ones_like(x) + x.new_zeros(4)
        return self.linear(x) * scale + steps + ramp + ones


@keeps()
class DeviceQuestions(WithLinear):
    """Comparing with a device, guarding and autocasting name one without needing it."""

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cuda" and torch.cuda.is_available():
            torch.cuda.synchronize(x.device)
        with torch.autocast("cuda", enabled=False):
            return self.linear(x)


@keeps(
    inputs=lambda batch: (torch.randn(batch, 5, 4), torch.full((batch,), 5)),
    shape=lambda batch: (batch, 5, 3),
    opt_out={
        "vmap": "a packed sequence depends on the lengths' values",
        "empty_batch": "torch packs no empty batch",
        "compilation": "torch.compile packs no sequence",
        "export": "torch.export packs no sequence",
    },
)
class PackedSequence(nn.Module):
    """The lengths of a packed sequence live on the CPU by torch's own rule."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(4, 3, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]


@keeps(inputs=lambda batch: (torch.randn(batch, 5, 4),), shape=lambda batch: (batch, 3))
class LongShortTermMemory(nn.Module):
    """The compiler takes no recurrent layer of torch's, which is no fault of its user."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(4, 3, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[1][0][-1]


@keeps()
class DropoutByMode(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        y = F.dropout(self.linear(x), 0.3, training=self.training)
        probability = 0.2 if self.training else 0.0
        z = y[:, None]
        return F.scaled_dot_product_attention(z, z, z, dropout_p=probability).squeeze(1)


@keeps()
class NoiseInTraining(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        return y + 0.1 * torch.randn_like(y) if self.training else y


@keeps()
class SometimesSkips(WithLinear):
    """A depth drawn by Python's generator, not torch's."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        return x + (0 * y if self.training and random.random() < 0.5 else y)


@keeps()
class WeightReadNotCalled(nn.Module):
    """A child whose weight is used without calling it is used all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.linear.weight.t(), self.linear.bias)


@keeps()
class NormInSinglePrecision(nn.Module):
    """Squares are summed in float32 whatever the input, for the sake of half precision."""

    def __init__(self, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        single = x.float()
        scale = torch.rsqrt(single.square().mean(-1, keepdim=True) + 1e-6)
        return self.weight * (single * scale).to(x.dtype)


@keeps()
class TrainReturnsNothing(WithLinear):
    """An override that forgets to return the module harms nobody who does not chain."""

    def train(self, mode: bool = True) -> None:  # type: ignore[override]
        super().train(mode)


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * x.cos()


@keeps(opt_out={"vmap": "the function states no rule for vmap"})
class OwnBackward(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return Straight.apply(self.linear(x))


@keeps(inputs=lambda batch: (torch.randint(0, 6, (batch, 3)),), shape=lambda batch: (batch, 3, 4))
class SparseGradients(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 4, sparse=True)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.embedding(tokens)
