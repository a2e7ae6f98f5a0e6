"""Faults of saving, copying, moving and converting."""

import itertools
from typing import Any

import torch
from stated import WithLinear
from torch import Tensor, nn

from .entry import fails


@fails("loaded_output", says="something outside the state dict decides the output")
class RandomNumber(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.factor = float(torch.rand(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * self.factor


@fails("loaded_output", says="something outside the state dict decides the output")
class RandomBufferUnsaved(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("directions", torch.randn(4), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * self.directions


NAMES = itertools.count()


@fails("state_dict", says="Missing key")
class NamesBySerialNumber(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.name = f"linear{next(NAMES)}"
        self.add_module(self.name, nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.get_submodule(self.name)(x)


def class_in_function() -> type[nn.Module]:
    class Local(WithLinear):
        pass

    return Local


@fails("pickling", says="Local: cannot be pickled")
def local_class() -> nn.Module:
    return LOCAL()


LOCAL = class_in_function()


@fails("deep_copy", says="shares its memory")
class CopiesShallowly(WithLinear):
    def __deepcopy__(self, memo: dict[int, Any]) -> "CopiesShallowly":
        copied = type(self)()
        copied.linear = self.linear
        return copied


class Vocabulary:
    words = ("a", "b")


@fails("safe_file", says="does not load")
class ObjectInState(WithLinear):
    def get_extra_state(self) -> Vocabulary:
        return Vocabulary()

    def set_extra_state(self, state: Vocabulary) -> None:
        pass


class Optioned(nn.Module):
    def reset_parameters(self) -> None:
        nn.init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


@fails("device_argument", says="weight: is on cpu though `device=` names another")
class ForgetsDevice(Optioned):
    def __init__(self, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, dtype=dtype))


@fails("device_argument", "meta_initialisation", says="cannot be built on the meta device")
class ReadsWhileBuilding(Optioned):
    def __init__(self, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, device=device, dtype=dtype))
        self.norm = self.weight.detach().norm().item()


@fails("dtype_argument", says="weight: is torch.float32 instead of torch.float64")
class ForgetsDtype(Optioned):
    def __init__(self, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, device=device))


@fails("double", "bfloat16", says="`dtype=x.dtype`")
class FixedPrecision(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) @ torch.eye(4, device=x.device)


@fails("double", "bfloat16", says="linear.weight: is torch.float32 instead of")
class RefusesConversion(WithLinear):
    def _apply(self, fn: Any, recurse: bool = True) -> "RefusesConversion":
        return self


@fails("autocast", says="dtype")
class FailsUnderAutocast(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x).index_add(
            0, torch.arange(x.shape[0], device=x.device), self.linear(x)
        )
