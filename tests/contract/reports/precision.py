"""What is lost in half precision, and what is kept on purpose."""

from typing import Any

import torch
from torch import Tensor, nn

from .entry import corrected, reported

LENGTH = 512


def long_sequences(batch: int) -> tuple[Tensor]:
    return (torch.randn(batch, LENGTH, 8),)


def same_long(batch: int) -> tuple[int, ...]:
    return (batch, LENGTH, 8)


def rates() -> Tensor:
    return 1.0 / 100.0 ** (torch.arange(0, 8, 2) / 8)


def rotate(x: Tensor, angle: Tensor) -> Tensor:
    cosine, sine = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.cat([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1)


# EleutherAI/gpt-neox#1003: frequencies that the cast rounds, times positions that are large.
@reported("NN303", "rates", long_sequences, same_long)
class RoundedFrequencies(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.register_buffer("rates", rates(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(x.shape[1], device=x.device, dtype=torch.float32)
        return rotate(self.linear(x), steps[:, None] * self.rates.float())


@corrected(long_sequences, same_long)
class FrequenciesComputed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(x.shape[1], device=x.device, dtype=torch.float32)
        exponents = torch.arange(0, 8, 2, device=x.device) / 8
        return rotate(self.linear(x), steps[:, None] / 100.0**exponents)


@corrected(long_sequences, same_long)
class FrequenciesKept(nn.Module):
    """Float32 on purpose, whatever the module is converted to."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.register_buffer("rates", rates(), persistent=False)

    def _apply(self, fn: Any, recurse: bool = True) -> "FrequenciesKept":
        kept = self.rates
        super()._apply(fn, recurse)
        if self.rates.dtype != kept.dtype and not kept.is_meta:
            self.rates = kept.to(self.rates.device)
        return self

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(x.shape[1], device=x.device, dtype=torch.float32)
        return rotate(self.linear(x), steps[:, None] * self.rates)


# nkalyanv99/UNI-D2#6: positions in the type of the frequencies; above 256 bfloat16 skips some.
@reported("NN303", "precision.py", long_sequences, same_long)
class RoundedPositions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(x.shape[1], device=x.device).type_as(x)
        exponents = torch.arange(0, 8, 2, device=x.device) / 8
        return rotate(self.linear(x), steps[:, None] / 100.0**exponents)


# wfondrie/depthcharge#82: wave lengths that are too large for the type.
@reported("NN303", "terms", lambda batch: (torch.rand(batch, 4),), lambda batch: (batch, 4))
class LargeTerms(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("terms", torch.tensor([1.0, 151.7, 3811.3, 15915.4941]))

    def forward(self, x: Tensor) -> Tensor:
        angle = x.float() * self.terms.float()
        return self.linear(angle.sin().to(x.dtype))


# facebookresearch/fairseq#3575, NVIDIA/apex#1105: a constant that float16 has no room for.
@reported("NN303", "precision.py", lambda batch: (torch.randn(batch, 4),))
class LargeConstant(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).masked_fill(x > 0.5, -1e8).softmax(-1)


@corrected()
class ConstantThatFits(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.linear(x)
        return scores.masked_fill(x > 0.5, torch.finfo(scores.dtype).min).softmax(-1)


# JunnYu/GAU-alpha-pytorch#1: the same by arithmetic, where nothing raises; a row that is masked as
# a whole is NaN.
@reported("NN303", "too large for torch.float16", lambda batch: (torch.randn(batch, 4),))
class ConstantTimesMask(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        hidden = (x[:, :1] > 0).to(x.dtype) * -1e12
        return (self.linear(x) + hidden).softmax(-1)


# huggingface/transformers#24262: what is computed in float32 makes the output float32.
@reported("NN303", "output")
class PromotesOutput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(4, device=x.device, dtype=torch.float32)
        return self.linear(x) * steps.cos()


@corrected()
class CastsTable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(4, device=x.device, dtype=torch.float32)
        return self.linear(x) * steps.cos().to(x.dtype)


# NVIDIA-NeMo/Automodel#2549, tenstorrent/tt-metal#27426: complex rotations lose half of themselves.
@reported("NN303", "turns")
class CutsComplex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("turns", torch.polar(torch.ones(2), torch.tensor([0.3, 1.2])))

    def forward(self, x: Tensor) -> Tensor:
        pairs = torch.view_as_complex(self.linear(x).float().unflatten(-1, (2, 2)))
        return torch.view_as_real(pairs * self.turns).flatten(-2).to(x.dtype)


@corrected()
class KeepsPhases(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("phases", torch.tensor([0.3, 1.2]))

    def forward(self, x: Tensor) -> Tensor:
        pairs = torch.view_as_complex(self.linear(x).float().unflatten(-1, (2, 2)))
        turns = torch.polar(torch.ones_like(self.phases), self.phases).to(pairs.dtype)
        return torch.view_as_real(pairs * turns).flatten(-2).to(x.dtype)


# huggingface/transformers#47743: a mask in float32 meets a product in half precision.
@reported("bfloat16", "dtype")
class MaskInFloat32(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.eye(4, device=x.device, dtype=torch.float32)
        return self.linear(x) @ weights
