"""NN101, NN102, NN110: modules that cannot be built as they should."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from .entry import breaks


class Applied(nn.Module):
    """What the modules here have in common."""

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


@breaks("NN101", at="NoSuper.linear")
class NoSuper(Applied):
    def __init__(self) -> None:
        self.linear = nn.Linear(4, 4)


@breaks("NN101", at="NoSuperPlain")
class NoSuperPlain(nn.Module):
    def __init__(self) -> None:
        self.factor = 2

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


@breaks("NN101", at="SkippingSuper.linear")
class SkippingSuper(Applied):
    def __init__(self) -> None:
        super(nn.Module, self).__init__()
        self.linear = nn.Linear(4, 4)


class Named:
    def __init__(self) -> None:
        self.name = "named"


@breaks("NN101", at="MixinAlone.weight")
class MixinAlone(Named, nn.Module):
    def __init__(self) -> None:
        Named.__init__(self)
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


@breaks("NN101", at="NoSuperBuffer.scale")
class NoSuperBuffer(nn.Module):
    def __init__(self) -> None:
        self.register_buffer("scale", torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


@breaks("NN101", at="inner")
class ChildWithoutSuper(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = NoSuperPlain()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


@breaks("NN102", at="LateAfterModule.linear")
class LateAfterModule(Applied):
    def __init__(self) -> None:
        self.linear = nn.Linear(4, 4)
        super().__init__()


@breaks("NN102", at="LateAfterParameter.weight")
class LateAfterParameter(nn.Module):
    def __init__(self) -> None:
        self.width = 4
        self.weight = nn.Parameter(torch.ones(4))
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


@breaks("NN102", at="LateAfterBuffer.scale")
class LateAfterBuffer(nn.Module):
    def __init__(self) -> None:
        self.register_buffer("scale", torch.ones(4))
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


@breaks("NN102", at="LateAfterModule.linear")
class LateChild(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = LateAfterModule()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


class WithDict(nn.Module):
    key = ""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({self.key: nn.Linear(4, 4)})

    def forward(self, x: Tensor) -> Tensor:
        return self.parts[self.key](x)


@breaks("NN110", at="ModuleDict['keys']")
class KeyOfDictMethod(WithDict):
    key = "keys"


@breaks("NN110", at="ModuleDict['train']")
class KeyOfModuleMethod(WithDict):
    key = "train"


@breaks("NN110", at="ModuleDict['a.b']")
class KeyWithDot(WithDict):
    key = "a.b"


@breaks("NN110", at="ModuleDict['']")
class EmptyKey(WithDict):
    key = ""


@breaks("NN110", at="Sequential['stage.1']")
class SequentialKeyWithDot(Applied):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Sequential(OrderedDict({"stage.1": nn.Linear(4, 4)}))


@breaks("NN110", at="AddedUnderMethodName['type']")
class AddedUnderMethodName(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.add_module("type", nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.type(x)
