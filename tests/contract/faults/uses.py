"""Faults that other inputs, transforms, wrappers and compilers show."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from stated import WithLinear
from torch import Tensor, nn

from .entry import fails


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


@fails("empty_batch", says="Return an empty result for an empty batch, or opt out")
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


@fails("repetition", says="steps: forward changes state in eval mode, so a second call differs")
class CountsItsCalls(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.steps.add_(1)
        return self.linear(x) + self.steps


@fails("functional", says="does not follow the weights that it is given")
class ReadsThroughAlias(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.weights = (self.linear.weight, self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, *self.weights) + 0 * self.linear(x)


@fails("vmap", says="vmap")
class FillsFixedRows(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        rows = torch.empty(y.shape, device=y.device, dtype=y.dtype)
        return rows.copy_(y)


@fails("compilation", says="does not compile: Unsupported: Call to `torch._dynamo.graph_break()`.")
class BreaksTheGraph(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        torch._dynamo.graph_break()
        return self.linear(x)


@fails(
    "compilation",
    says="Data-dependent branching. Decide by shapes and arguments, not by the values of tensors.",
    opt_out=dict.fromkeys(
        ("host_fetches", "devices", "vmap", "export", "batch_invariance"), "it decides by value"
    ),
)
class DecidesByValue(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        return y * 2 if y.sum() > 0 else y


@fails("activation_checkpointing", says="is updated again when the forward is recomputed")
class CountsFirst(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.count.add_(1)
        return self.linear(x)


@fails("resumption", says="ready: something outside the state dict decides how training goes on")
class FlagNotSaved(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("ready", torch.zeros(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x) - self.mean
        if self.training:
            with torch.no_grad():
                self.mean.copy_(torch.where(self.ready > 0, self.mean, x.mean(0)))
                self.ready.fill_(1.0)
        return y


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
