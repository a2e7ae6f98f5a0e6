"""NN111, NN208, NN209: what instances share, what copies lose, what a parent breaks."""

import copy
from typing import Any

import torch
from stated import WithLinear
from torch import Tensor, nn

from .entry import breaks


class Normed(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.linear(x))


@breaks("NN111", at="norm")
class NormAsDefault(Normed):
    def __init__(self, norm: nn.Module = nn.LayerNorm(4)) -> None:  # noqa: B008
        super().__init__()
        self.norm = norm


@breaks("NN111", at="inner.norm")
class ChildWithDefault(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = NormAsDefault()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


@breaks("NN111", at="offset")
class TensorAsDefault(WithLinear):
    def __init__(self, offset: Tensor = torch.ones(4)) -> None:  # noqa: B008
        super().__init__()
        self.register_buffer("offset", offset)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.offset


@breaks("NN111", at="NormOfTheClass.norm")
class NormOfTheClass(Normed):
    norm = nn.LayerNorm(4)


@breaks("NN111", at="scale")
class ParameterOfTheClass(WithLinear):
    common = nn.Parameter(torch.full((4,), 2.0))

    def __init__(self) -> None:
        super().__init__()
        self.scale = self.common

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * self.scale


@breaks("NN111", at="TensorOnTheClass.scale")
class TensorOnTheClass(nn.Module):
    scale = torch.full((4,), 2.0)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class Tied(nn.Module):
    def __init__(self, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.encoder = nn.Linear(4, 4, bias=False, device=device, dtype=dtype)
        self.decoder = nn.Linear(4, 4, bias=False, device=device, dtype=dtype)
        self.decoder.weight = self.encoder.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x).tanh())


@breaks("NN208", at="decoder.weight")
class LosesTieOnMeta(Tied):
    pass


class KeepsTie(Tied):
    def _apply(self, fn: Any, recurse: bool = True) -> "KeepsTie":
        super()._apply(fn, recurse)
        self.decoder.weight = self.encoder.weight
        return self


@breaks("NN208", at="decoder.weight")
class LosesTieInCopy(KeepsTie):
    def __deepcopy__(self, memo: dict[int, Any]) -> "LosesTieInCopy":
        copied = type(self)()
        copied.encoder = copy.deepcopy(self.encoder)
        copied.decoder = copy.deepcopy(self.decoder)
        return copied


@breaks("NN208", at="decoder.weight")
class LosesTieInLoading(KeepsTie):
    def load_state_dict(self, state: Any, *rest: Any, **options: Any) -> Any:
        self.decoder.weight = nn.Parameter(state["decoder.weight"].clone())
        return super().load_state_dict(state, *rest, **options)


@breaks("NN208", at="decoder.weight")
class LosesTieInAssignedState(KeepsTie):
    """Each name gets a parameter of its own, of one memory: an optimizer moves it twice."""


@breaks("NN208", at="gate")
class TwoParametersOfOneTensor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        values = torch.randn(4)
        self.scale = nn.Parameter(values)
        self.gate = nn.Parameter(values)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.gate


def rename(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    for key in [key for key in state if key.startswith("linear.")]:
        state[f"layer.{key.removeprefix('linear.')}"] = state.pop(key)


def rename_back(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for key in [key for key in state if key.startswith("layer.")]:
        state[f"linear.{key.removeprefix('layer.')}"] = state.pop(key)


@breaks("NN209", at="linear.bias")
class RenamesAtTheRoot(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.register_state_dict_post_hook(rename)
        self.register_load_state_dict_pre_hook(rename_back)


@breaks("NN209", at="sharing.py")
class ReadsAtTheRoot(WithLinear):
    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        self.dtype_of_file = state["linear.weight"].dtype
        super()._load_from_state_dict(state, prefix, *rest)


@breaks("NN209", at="version")
class WritesAtTheRoot(WithLinear):
    def _save_to_state_dict(self, state: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(state, prefix, keep_vars)
        state["version"] = torch.tensor(2)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        state.pop("version", None)
        super()._load_from_state_dict(state, prefix, *rest)
