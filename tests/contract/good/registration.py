"""Ways to register that are unusual and right."""

import logging
import weakref
from typing import Any

import torch
import torch.nn.functional as F
from stated import WithLinear
from torch import Tensor, nn

from .entry import keeps


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


@keeps(opt_out={"functional": "the tuple keeps the parameters that the module was built with"})
class AliasOfParameters(WithLinear):
    """`.to()` changes parameters where they are, so an alias of one follows."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = (self.linear.weight, self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, *self.weights)


@keeps(inputs=lambda batch: (torch.randint(0, 6, (batch, 3)),), shape=lambda batch: (batch, 3, 6))
class TiedEmbedding(nn.Module):
    """Weights shared on purpose are one parameter, registered in two places."""

    def __init__(self, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 4, device=device, dtype=dtype)
        self.head = nn.Linear(4, 6, bias=False, device=device, dtype=dtype)
        self.register_load_state_dict_post_hook(TiedEmbedding.tie)
        self.tie()

    def tie(self, _: object = None) -> None:
        self.head.weight = self.embedding.weight

    def _apply(self, fn: Any, recurse: bool = True) -> "TiedEmbedding":
        super()._apply(fn, recurse)
        # Where the tensors are replaced, as by `to_empty`, each name gets a parameter of its own.
        self.tie()
        return self

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
class FloatOfFloat(nn.Module):
    """`.float()` on a float32 parameter returns the parameter itself."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4)).float()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


@keeps(opt_out={"two_processes": "its mean is of one process alone"})
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


@keeps()
class Frozen(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Linear(4, 4).requires_grad_(False)
        self.head = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x).relu())


@keeps()
class FixedIndex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.order = nn.Parameter(torch.tensor([3, 1, 0, 2]), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(-1, self.order)


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


@keeps()
class ExtraState(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.vocabulary = ["a", "b"]

    def get_extra_state(self) -> dict[str, list[str]]:
        return {"vocabulary": self.vocabulary}

    def set_extra_state(self, state: dict[str, list[str]]) -> None:
        self.vocabulary = state["vocabulary"]
