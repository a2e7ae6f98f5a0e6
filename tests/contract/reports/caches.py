"""Tensors that one call leaves for the next, whose device, dtype, mode or length is another."""

import functools
from typing import Any

import torch
from torch import Tensor, nn

from .entry import corrected, reported


def sequences(batch: int) -> tuple[Tensor]:
    return (torch.randn(batch, 6, 4),)


def same_sequences(batch: int) -> tuple[int, ...]:
    return (batch, 6, 4)


def angles(length: int, like: Tensor) -> Tensor:
    steps = torch.arange(length, device=like.device, dtype=torch.float32)
    rates = torch.tensor([1.0, 0.1, 0.01, 0.001], device=like.device)
    return steps[:, None] * rates


# Dao-AILab/flash-attention#299: tables made under inference mode are used in training.
@reported("NN206", "_cosine", sequences, same_sequences)
class TablesOfInference(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))
        self._length = 0
        self._cosine: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        table = self._cosine
        length = x.shape[1]
        if (
            table is None
            or length > self._length
            or table.device != x.device
            or table.dtype != x.dtype
        ):
            self._length = length
            self._cosine = table = angles(length, x).cos().to(x.dtype)
        return x * self.scale * table[:length]


@corrected(sequences, same_sequences)
class TablesMadeAnew(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))
        self._cosine: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        table = self._cosine
        if (
            table is None
            or table.shape[0] < x.shape[1]
            or table.device != x.device
            or table.dtype != x.dtype
            or (table.is_inference() and not torch.is_inference_mode_enabled())
        ):
            self._cosine = table = angles(x.shape[1], x).cos().to(x.dtype)
        return x * self.scale * table[: x.shape[1]]


# vllm-project/vllm#43844: a table is made again for a larger grid only, never for another device.
@reported("NN206", "positions", sequences, same_sequences)
class TableOfFirstDevice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.positions: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.positions is None or self.positions.shape[0] < x.shape[1]:
            self.positions = angles(x.shape[1], x).sin().to(x.dtype)
        return self.linear(x) + self.positions[: x.shape[1]]


@corrected(sequences, same_sequences)
class TableAtEachCall(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + angles(x.shape[1], x).sin().to(x.dtype)


# tatp22/multidim-positional-encoding#33: what is kept is compared by shape alone.
@reported("NN206", "kept", sequences, same_sequences)
class KeptByShape(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kept: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.kept is None or self.kept.shape != x.shape:
            table = angles(x.shape[1], x).sin().to(x.dtype)
            self.kept = table.expand(x.shape[0], -1, -1).clone()
        return x + self.kept


@corrected(sequences, same_sequences)
class KeptAsBuffer(nn.Module):
    def __init__(self, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.register_buffer(
            "table", torch.empty(6, 4, device=device, dtype=dtype), persistent=False
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        self.table.copy_(angles(6, self.table).sin())

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table


# facebookresearch/xformers#655: the causal mask has the length of the first call.
@reported("NN206", "mask", sequences, same_sequences)
class MaskOfFirstLength(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.mask: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        scores = self.linear(x) @ x.transpose(1, 2)
        if self.mask is None or self.mask.device != x.device:
            length = x.shape[1]
            self.mask = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
        return scores.masked_fill(self.mask, -torch.inf).softmax(-1) @ x


@corrected(sequences, same_sequences)
class MaskOfThisLength(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        mask = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
        scores = self.linear(x) @ x.transpose(1, 2)
        return scores.masked_fill(mask, -torch.inf).softmax(-1) @ x


# CanReader/FastNN#16 (in Rust): a mask for each length, none of which ever goes.
@reported("NN206", "masks", sequences, same_sequences)
class MaskForEachLength(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.masks: dict[tuple[int, torch.device], Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        key = (x.shape[1], x.device)
        if key not in self.masks:
            ones = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device)
            self.masks[key] = ones.triu(1)
        scores = self.linear(x) @ x.transpose(1, 2)
        return scores.masked_fill(self.masks[key], -torch.inf).softmax(-1) @ x


# huggingface/transformers#45780: the cache of a method keeps every module alive.
@reported("NN206", "anchors", sequences, same_sequences)
class CachedMethod(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    @functools.lru_cache(maxsize=32)  # noqa: B019
    def anchors(self, length: int, device: torch.device, dtype: torch.dtype) -> Tensor:
        return torch.arange(length, device=device, dtype=dtype)[:, None]

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.anchors(x.shape[1], x.device, x.dtype)


@corrected(sequences, same_sequences)
class PlainMethod(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def anchors(self, x: Tensor) -> Tensor:
        return torch.arange(x.shape[1], device=x.device, dtype=x.dtype)[:, None]

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.anchors(x)


# nomadkaraoke/python-audio-separator#298: angles stay in the precision of the first call.
@reported("NN206", "cached", sequences, same_sequences)
class AnglesOfFirstPrecision(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.cached: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        table = self.cached.get("angles")
        if table is None or table.device != x.device or table.shape[0] != x.shape[1]:
            self.cached["angles"] = table = angles(x.shape[1], x).sin().to(x.dtype)
        return self.linear(x) + table.to(x.dtype)


# openai/gpt-oss#43: only the length decides whether the tables are made again.
@reported("NN206", "_tables", sequences, same_sequences)
class PairOfTables(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self._tables: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self._tables is None or self._tables[0].shape[0] < x.shape[1]:
            table = angles(x.shape[1], x)
            self._tables = (table.cos().to(x.dtype), table.sin().to(x.dtype))
        cosine, sine = (table[: x.shape[1]] for table in self._tables)
        y = self.linear(x)
        return y * cosine + y.flip(-1) * sine
