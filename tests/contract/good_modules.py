"""Modules that keep the contract, in ways that a careless check would take for a breach."""

import copy
import logging
import math
import random
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from module_contract.case import Contract
from stated import Inputs, Shape, rows, same_rows, stated
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

GOOD: dict[str, Contract] = {}


def keeps(
    inputs: Inputs = rows,
    shape: Shape = same_rows,
    **options: Any,
) -> Callable[[type[nn.Module]], type[nn.Module]]:
    """Enter a class as one that keeps the contract."""

    def enter(kind: type[nn.Module]) -> type[nn.Module]:
        GOOD[kind.__name__] = stated(kind, inputs, shape, **options)
        return kind

    return enter


class WithLinear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


@keeps()
class PlainValuesBeforeInit(nn.Module):
    """Ints, strings and lists may come before `super().__init__()`."""

    def __init__(self) -> None:
        self.width = 4
        self.names = ["a", "b"]
        super().__init__()
        self.linear = nn.Linear(self.width, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


@keeps()
class NamedInit(nn.Module):
    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


@keeps()
class ListThenModuleList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Linear(4, 4), nn.Tanh()]
        self.stages = layers
        self.layers = nn.ModuleList(self.stages)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.stages:
            x = layer(x)
        return x


@keeps()
class AliasOfRegistered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(4, 4)
        self.weights = {"first": self.encoder.weight}
        self.order = (self.encoder,)

    def forward(self, x: Tensor) -> Tensor:
        return self.order[0](x)


@keeps(inputs=lambda batch: (torch.randint(0, 6, (batch, 3)),), shape=lambda batch: (batch, 3, 6))
class TiedEmbedding(nn.Module):
    """Weights shared on purpose are one parameter, registered in two places."""

    def __init__(self, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 4, device=device, dtype=dtype)
        self.head = nn.Linear(4, 6, bias=False, device=device, dtype=dtype)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.embedding(tokens))


@keeps()
class SharedModuleUnderTwoNames(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(4, 4)
        self.decoder = self.encoder

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x).relu())


@keeps()
class RepeatedActivation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        activation = nn.GELU()
        self.layers = nn.Sequential(nn.Linear(4, 4), activation, nn.Linear(4, 4), activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@keeps()
class NothingToLearn(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sigmoid() * x


@keeps()
class OnlyBuffers(nn.Module):
    def __init__(self, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.register_buffer("mean", torch.empty(4, device=device, dtype=dtype))
        self.register_buffer("seen", torch.empty((), dtype=torch.int64, device=device))
        self.register_buffer("mask", torch.empty(4, dtype=torch.bool, device=device), False)
        self.register_buffer("nothing", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.mean)
        self.seen.zero_()
        self.mask.fill_(True)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.where(self.mask, x - self.mean, 0.0)
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(x.mean(0), 0.1)
                self.seen.add_(1)
        return y


@keeps()
class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LazyLinear(6), nn.LazyBatchNorm1d(), nn.LazyLinear(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@keeps()
class ParameterlessBuiltInForward(WithLinear):
    """A ReLU, a Softmax or a loss has no state, so it may be built anywhere."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.Softmax(dim=-1)(nn.ReLU()(self.linear(x)))


@keeps()
class FloatOfFloat(nn.Module):
    """`.float()` on a float32 parameter returns the parameter itself."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4)).float()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


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


@keeps(opt_out={"functional": "the tuple keeps the parameters that the module was built with"})
class AliasOfParameters(WithLinear):
    """`.to()` changes parameters where they are, so an alias of one follows."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = (self.linear.weight, self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, *self.weights)


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


@keeps()
class Frozen(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Linear(4, 4).requires_grad_(False)
        self.head = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x).relu())


@keeps()
class WeightReadNotCalled(nn.Module):
    """A child whose weight is used without calling it is used all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.linear.weight.t(), self.linear.bias)


class Child(nn.Module):
    def __init__(self, parent: nn.Module) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.links = {"parent": weakref.proxy(parent)}

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * self.links["parent"].factor


@keeps(opt_out={"compilation": "torch.compile follows no weak proxy"})
class WeakParent(nn.Module):
    """A child that knows its parent, weakly, is no second registration."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = 2.0
        self.child = Child(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.child(x)


@keeps()
class ParameterContainers(nn.Module):
    """Torch itself prints a line for each parameter in them."""

    def __init__(self) -> None:
        super().__init__()
        self.scales = nn.ParameterList([torch.ones(4), torch.zeros(4)])
        self.named = nn.ParameterDict({"shift": torch.ones(4)})

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scales[0] + self.scales[1] * self.named["shift"]


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
class SometimesSkips(WithLinear):
    """A depth drawn by Python's generator, not torch's."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        return x + (0 * y if self.training and random.random() < 0.5 else y)


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
    opt_out={"compilation": "torch.compile refuses an LSTM whole"},
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


@keeps()
class StrongParent(WithLinear):
    """A reference round about, past the registry, to what is registered anyway."""

    def __init__(self) -> None:
        super().__init__()
        self.linear.__dict__["parent"] = self


@keeps()
class KnowsTheProgram(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.log = logging.getLogger(__name__)
        self.shapes = {"x": torch.Size([4]), "dtype": torch.float32}
        self.chain: Any = None
        for _ in range(300):
            self.chain = (self.chain,)


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


@keeps()
class FixedIndex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.order = nn.Parameter(torch.tensor([3, 1, 0, 2]), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(-1, self.order)


@keeps()
class TrainReturnsNothing(WithLinear):
    """An override that forgets to return the module harms nobody who does not chain."""

    def train(self, mode: bool = True) -> None:  # type: ignore[override]
        super().train(mode)


@keeps()
class Parametrised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


@keeps()
class Spectral(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


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


@keeps(
    inputs=lambda batch: (torch.randn(batch, 4, dtype=torch.complex64),),
    opt_out={"bfloat16": "torch.polar takes no bfloat16"},
)
class Complex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.phase = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.polar(torch.ones_like(self.phase), self.phase)


@keeps(inputs=lambda batch: (torch.randint(0, 6, (batch, 3)),), shape=lambda batch: (batch, 3, 4))
class SparseGradients(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 4, sparse=True)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.embedding(tokens)


@keeps()
class ExtraState(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.vocabulary = ["a", "b"]

    def get_extra_state(self) -> dict[str, list[str]]:
        return {"vocabulary": self.vocabulary}

    def set_extra_state(self, state: dict[str, list[str]]) -> None:
        self.vocabulary = state["vocabulary"]


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
