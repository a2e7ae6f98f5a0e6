"""Ties that a copy loses, and state-dict hooks that know no parent."""

from typing import Any

import torch
from torch import Tensor, nn

from .entry import corrected, reported


def tokens(batch: int) -> tuple[Tensor]:
    return (torch.randint(0, 6, (batch, 3)),)


def logits(batch: int) -> tuple[int, ...]:
    return (batch, 3, 6)


# Modalities/modalities#357: tied on the meta device, two weights after `to_empty`.
@reported("NN208", "head.weight", tokens, logits)
class TiedOnce(nn.Module):
    def __init__(self, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 4, device=device, dtype=dtype)
        self.head = nn.Linear(4, 6, bias=False, device=device, dtype=dtype)
        self.head.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.embedding(x))


@corrected(tokens, logits)
class TiedAgain(nn.Module):
    def __init__(self, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 4, device=device, dtype=dtype)
        self.head = nn.Linear(4, 6, bias=False, device=device, dtype=dtype)
        self.register_load_state_dict_post_hook(TiedAgain.tie)
        self.tie()

    def tie(self, _: object = None) -> None:
        self.head.weight = self.embedding.weight

    def _apply(self, fn: Any, recurse: bool = True) -> "TiedAgain":
        super()._apply(fn, recurse)
        self.tie()
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.embedding(x))


# pytorch/torchdistx#10: the same of a model that takes no device, built under `torch.device`.
@reported("NN208", "decoder.weight", tokens, logits)
class TiedWithoutDevice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Embedding(6, 4)
        self.decoder = nn.Linear(4, 6, bias=False)
        self.decoder.weight = self.encoder.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x).relu())


# pytorch/pytorch#79788: two parameters of one memory; a deep copy gives each its own.
@reported("NN208", "second")
class OneMemory(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        values = torch.randn(4)
        self.first = nn.Parameter(values)
        self.second = nn.Parameter(values)

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.first).tanh() * self.second


@corrected()
class OneParameter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(4))

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.first).tanh() * self.first


# meta-pytorch/torchtune#2291: hooks that rename keys as if the module were always the root.
@reported("NN209", "is a child")
class HookWithoutPrefix(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.wrapped = nn.Linear(4, 4)
        self.register_state_dict_post_hook(shorten)
        self.register_load_state_dict_pre_hook(lengthen)

    def forward(self, x: Tensor) -> Tensor:
        return self.wrapped(x)


def shorten(module: nn.Module, state: dict[str, Any], prefix: str, metadata: object) -> None:
    for key in list(state):
        if key.startswith("wrapped."):
            state[key.removeprefix("wrapped.")] = state.pop(key)


def lengthen(module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    for key in ("weight", "bias"):
        if key in state:
            state[f"wrapped.{key}"] = state.pop(key)


@corrected()
class HookWithPrefix(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.wrapped = nn.Linear(4, 4)
        self.register_state_dict_post_hook(shorten_below)
        self.register_load_state_dict_pre_hook(lengthen_below)

    def forward(self, x: Tensor) -> Tensor:
        return self.wrapped(x)


def shorten_below(module: nn.Module, state: dict[str, Any], prefix: str, _: object) -> None:
    for key in ("weight", "bias"):
        state[f"{prefix}{key}"] = state.pop(f"{prefix}wrapped.{key}")


def lengthen_below(module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    for key in ("weight", "bias"):
        if f"{prefix}{key}" in state:
            state[f"{prefix}wrapped.{key}"] = state.pop(f"{prefix}{key}")


# facebookresearch/mmf#675: old names of keys, looked up without their prefix.
@reported("NN209", "is a child")
class OldNames(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("steps", torch.zeros(1))

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        state[f"{prefix}steps"] = state["steps"].reshape(1)
        super()._load_from_state_dict(state, prefix, *rest)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.steps


@corrected()
class OldNamesBelow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("steps", torch.zeros(1))

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        key = f"{prefix}steps"
        if key in state:
            state[key] = state[key].reshape(1)
        super()._load_from_state_dict(state, prefix, *rest)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.steps


# The other way about: what is saved has no prefix (the class that pytorch/pytorch#21933 made
# overridable).
@reported("NN209", "is a child")
class SavesWithoutPrefix(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.width = 4

    def _save_to_state_dict(self, state: dict[str, Any], prefix: str, keep: bool) -> None:
        super()._save_to_state_dict(state, prefix, keep)
        state["width"] = torch.tensor(self.width)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        self.width = int(state.pop("width"))
        super()._load_from_state_dict(state, prefix, *rest)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


class Normed(nn.Module):
    def __init__(self, norm: nn.Module = nn.LayerNorm(4)) -> None:  # noqa: B008
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.linear(x))


# No report was read for these two; linters warn of the first (ruff's B008).
reported("NN111", "norm")(Normed)


@reported("NN111", "scale")
class ScaleOfTheClass(nn.Module):
    common = nn.Parameter(torch.ones(4))

    def __init__(self) -> None:
        super().__init__()
        self.scale = self.common

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


@corrected()
class StatelessDefault(nn.Module):
    def __init__(self, activation: nn.Module = nn.ReLU()) -> None:  # noqa: B008
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.linear(x))
