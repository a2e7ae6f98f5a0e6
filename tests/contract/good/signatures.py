"""Inputs and outputs of every form, and whole models as people write them."""

import copy
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from stated import WithLinear
from torch import Tensor, nn

from .entry import keeps


@keeps(shape=lambda batch: {"logits": (batch, 3), "features": (batch, 4)})
class DictOutput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.body(x).tanh()
        return {"logits": self.head(features), "features": features}


class Prediction(NamedTuple):
    mean: Tensor
    variance: Tensor


@keeps(shape=lambda batch: ((batch, 4), (batch, 4)))
class NamedTupleOutput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 8)

    def forward(self, x: Tensor) -> Prediction:
        mean, spread = self.linear(x).chunk(2, dim=-1)
        return Prediction(mean, F.softplus(spread))


@dataclass
class Scores:
    scores: Tensor
    best: Tensor


@keeps(
    shape=lambda batch: {"scores": (batch, 3), "best": (batch,)},
    opt_out={
        "vmap": "vmap returns no dataclasses",
        "export": "torch.export returns no dataclasses",
    },
)
class DataclassOutput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Scores:
        scores = self.linear(x)
        return Scores(scores, scores.argmax(dim=-1))


@keeps(
    inputs=lambda batch: ({"values": torch.randn(batch, 4), "mask": torch.rand(batch, 4) > 0.5},),
    shape=lambda batch: (batch, 2),
)
class DictInput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.linear(batch["values"].masked_fill(batch["mask"], 0.0))


@keeps(
    inputs=lambda batch: (torch.randn(batch, 5), torch.randint(0, 5, (batch,))),
    shape=lambda batch: (),
)
class WeightedLoss(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(1))
        self.register_buffer("weights", torch.linspace(1, 2, 5))

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(scores / self.temperature, targets, weight=self.weights)


@keeps(shape=lambda batch: ())
class MovingTarget(nn.Module):
    """A frozen copy gives the target, without gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.online = nn.Linear(4, 4)
        self.target = copy.deepcopy(self.online).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            target = self.target(x)
        return F.mse_loss(self.online(x), target)


@keeps(
    inputs=lambda batch: (torch.randint(0, 7, (batch, 5)),),
    shape=lambda batch: ((batch, 5, 7), ((1, batch, 4), (1, batch, 4))),
)
class LanguageModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.recurrent = nn.LSTM(4, 4, batch_first=True)
        self.head = nn.Linear(4, 7)

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        features, state = self.recurrent(self.embedding(tokens), state)
        return self.head(features), state


@keeps(shape=lambda batch: (batch, 3))
class AuxiliaryHeadInTraining(nn.Module):
    """Training returns more than eval, whose shape is the one that is stated."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 4)
        self.head = nn.Linear(4, 3)
        self.auxiliary = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        features = self.body(x).relu()
        if self.training:
            return self.head(features), self.auxiliary(features)
        return self.head(features)


@keeps(inputs=lambda batch: (torch.randn(5, batch, 4),), shape=lambda batch: (5, batch, 4))
class BatchSecond(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x) + x.mean(0, keepdim=True)


@keeps(inputs=lambda batch: (torch.randn(7, 4),), shape=lambda batch: (7, 4))
class NoBatch(WithLinear):
    """A module of one set of points: neither input nor output follows the batch."""


@keeps(inputs=lambda batch: (torch.randn(batch, 4), 2, None, True))
class PlainArguments(WithLinear):
    def forward(self, x: Tensor, times: int, mask: Tensor | None, bias: bool) -> Tensor:
        for _ in range(times):
            x = self.linear(x) if bias else x
        return x if mask is None else x * mask


@keeps(
    inputs=lambda batch: (torch.randn(batch, 4, dtype=torch.complex64),),
)
class Complex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.phase = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.polar(torch.ones_like(self.phase), self.phase)


@keeps(shape=lambda batch: (batch, 4, 4))
class Positions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([math.pi]))
        table = torch.arange(4.0)[:, None] / torch.tensor([1.0, 10.0, 100.0, 1000.0])
        self.register_buffer("table", table.sin(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x[:, None] * self.scale + self.table


@keeps()
class Choice(nn.Module):
    """Every expert runs on every row; the gate decides what counts."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(4, 2)
        self.experts = nn.ModuleDict({"near": nn.Linear(4, 4), "far": nn.Linear(4, 4)})

    def forward(self, x: Tensor) -> Tensor:
        gates = self.gate(x).softmax(-1)
        answers = torch.stack([expert(x) for expert in self.experts.values()], dim=-1)
        return (answers * gates[:, None]).sum(-1)
