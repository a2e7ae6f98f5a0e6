"""Modules with a fault that only a check's name describes: no rule has a code for it."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from module_contract.case import Contract
from stated import Inputs, Shape, rows, same_rows, stated
from torch import Tensor, nn


@dataclass(frozen=True)
class Fault:
    """A module, the only checks that may fail on it, and a part of what they say."""

    name: str
    checks: frozenset[str]
    says: str
    contract: Contract


FAULTS: list[Fault] = []


def fails(
    *checks: str,
    says: str,
    inputs: Inputs = rows,
    shape: Shape = same_rows,
    **options: Any,
) -> Callable[[Any], Any]:
    """Enter a class, or a function that builds a module, on which these checks fail."""

    def enter(make: Any) -> Any:
        contract = stated(make, inputs, shape, **options)
        FAULTS.append(Fault(make.__name__, frozenset(checks), says, contract))
        return make

    return enter


class WithLinear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


@fails("parameters", says="20 elements in all, stated are 16", parameter_count=16)
def wrong_count() -> nn.Module:
    return WithLinear()


@fails("parameters", says="16 elements trainable, stated are 20", parameter_count=20)
def frozen_count() -> nn.Module:
    module = WithLinear()
    module.linear.bias.requires_grad_(False)
    return module


@fails(
    "parameters",
    says="linear.weight: has shape (4, 4), stated is (4, 3)",
    parameter_shapes={"linear.weight": (4, 3), "linear.bias": (4,)},
)
def wrong_shapes() -> nn.Module:
    return WithLinear()


@fails(
    "parameters",
    says="linear.bias: has shape (4,), stated is None",
    parameter_shapes={"linear.weight": (4, 4)},
)
def unstated_parameter() -> nn.Module:
    return WithLinear()


@fails("forward", says="returns shape (3, 4), stated is (3, 5)", shape=lambda batch: (batch, 5))
def wrong_output() -> nn.Module:
    return WithLinear()


@fails("forward", says="in training mode raises ValueError: no training here")
class OnlyInEval(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            raise ValueError("no training here")
        return self.linear(x)


@fails("construction", says="faults.py")
class WillNotBuild(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        raise ValueError("width must be even")


@fails("construction", says="returns no `nn.Module`")
def no_module() -> Any:
    return F.relu


@fails("output_dtype", says="is torch.float64")
class Upcasts(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).double()


@fails("finite_output", says="NaN")
class LogOfNegative(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sqrt(self.linear(x).abs() - 100)


@fails("mode_switch", says="linear: `train()` does not reach it")
class OverridesTrain(WithLinear):
    def train(self, mode: bool = True) -> "OverridesTrain":
        self.training = mode
        self.linear.training = False
        return self


@fails("mode_difference", says="does more than set `training`")
class TrainDoublesScale(WithLinear):
    scale = 1.0

    def train(self, mode: bool = True) -> "TrainDoublesScale":
        self.scale = 2.0 if mode else 1.0
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * self.scale


@fails("gradients", says="weight: gets no gradient")
class ForgetsParameter(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))


@fails("gradients", says="first.weight: gets no gradient")
class DetachesBetween(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).detach()) + x


@fails("gradients", says="no floating-point input gets a gradient")
class DetachesInput(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.detach())


@fails("gradients", says="its gradient is not finite")
class InfiniteSlope(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight.sqrt()


class WrongSine(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.sin()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * x.sin()


@fails("gradcheck", says="Compare `backward` with the derivative of `forward`")
class WrongBackward(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return WrongSine.apply(self.linear(x))


@fails("gradcheck", says="Jacobian mismatch", inputs=lambda batch: (torch.randint(0, 5, (batch,)),))
class WrongBackwardBehindIndices(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        return WrongSine.apply(self.embedding(x))


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


@fails("double", "bfloat16", "gradcheck", says="`dtype=x.dtype`")
class FixedPrecision(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) @ torch.eye(4, device=x.device)


@fails("double", "bfloat16", "gradcheck", says="linear.weight: is torch.float32 instead of")
class RefusesConversion(WithLinear):
    def _apply(self, fn: Any, recurse: bool = True) -> "RefusesConversion":
        return self


@fails("autocast", says="dtype")
class FailsUnderAutocast(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x).index_add(
            0, torch.arange(x.shape[0], device=x.device), self.linear(x)
        )


@fails("single_sample", says="for a batch of 1 raises ValueError: too few")
class NeedsTwo(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] == 1:
            raise ValueError("too few")
        return self.linear(x)


@fails("single_sample_training", says="for a batch of 1 raises ValueError: too few")
class NeedsTwoInTraining(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.shape[0] == 1:
            raise ValueError("too few")
        return self.linear(x)


@fails("empty_batch", says="IndexError")
class LooksAtFirst(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + 0 * x[0]


@fails("batch_invariance", says="Do not mix samples in eval mode")
class MixesSamples(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        return y - y.mean(0, keepdim=True)


@fails("strided_inputs", says="`.reshape()`")
class Views(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.view(-1).view_as(x))


@fails("wrong_shape", says="KeyError")
class LooksUpWidth(WithLinear):
    sizes: ClassVar[dict[int, float]] = {4: 1.0}

    def forward(self, x: Tensor) -> Tensor:
        return self.sizes[x.shape[-1]] * self.linear(x)


@fails("wrong_shape", says="AssertionError without a message")
class BareAssertion(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] != 4:
            raise AssertionError
        return self.linear(x)


@fails("functional", says="does not follow the weights that it is given")
class ReadsThroughAlias(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.weights = (self.linear.weight, self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, *self.weights) + 0 * self.linear(x)


@fails("vmap", says="vmap")
class BooleanMask(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x).clone()
        y[y > 0] = 0.0
        return y


@fails("compilation", says="does not compile")
class BreaksTheGraph(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        torch._dynamo.graph_break()
        return self.linear(x)


@fails("export", says="cannot be exported")
class UnrollsTheBatch(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.linear(row) for row in x]) if x.shape[0] else self.linear(x)


@fails("activation_checkpointing", says="is updated again when the forward is recomputed")
class CountsFirst(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.count.add_(1)
        return self.linear(x)


@fails("representation", says="does not show the argument steps=7")
def hides_argument() -> nn.Module:
    return HidesArgument(7)


class HidesArgument(WithLinear):
    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps


@fails("representation", says="has 5 lines where the children need 4")
class LongDescription(WithLinear):
    def extra_repr(self) -> str:
        return "one\ntwo"


@fails("sharding", says="temperature: has no dimension, which fully_shard refuses")
class ScalarParameter(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * self.temperature


@fails("torchscript", says="cannot be scripted", torchscript=True)
class NotScriptable(WithLinear):
    def forward(self, x: Tensor, *scales: float) -> Tensor:
        return self.linear(x)
