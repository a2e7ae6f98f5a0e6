from dataclasses import dataclass

import torch
from torch import nn

from somewhere_else import Predictor as FarPredictor


class NoInit(nn.Module):
    def forward(self, x):
        return x


class ByName(nn.Module):
    def __init__(self, width):
        nn.Module.__init__(self)
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class ByFullName(torch.nn.Module):
    def __init__(self, width):
        torch.nn.Module.__init__(self)
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class OldSuper(nn.Module):
    def __init__(self, width):
        super(OldSuper, self).__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class BaseByName(OldSuper):
    def __init__(self):
        OldSuper.__init__(self, 4)
        self.norm = nn.LayerNorm(4)

    def forward(self, x):
        return self.norm(super().forward(x))


class SkipsAParent(OldSuper):
    # Leaves OldSuper's own constructor out, but reaches nn.Module's.
    def __init__(self, width):
        super(OldSuper, self).__init__()
        self.linear = nn.Linear(width, width, bias=False)

    def forward(self, x):
        return self.linear(x)


class Cooperative:
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.created = True


class WithMixin(Cooperative, nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class PlainMixin:
    def __init__(self, config):
        self.config = config


class MixinSecond(nn.Module, PlainMixin):
    def __init__(self, width):
        nn.Module.__init__(self)
        PlainMixin.__init__(self, {"width": width})
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class Stack(nn.Sequential):
    def __init__(self, width):
        super().__init__(nn.Linear(width, width), nn.ReLU())


class Guarded(nn.Module):
    def __init__(self, width, **kwargs):
        try:
            super().__init__(**kwargs)
        except TypeError as error:
            raise TypeError("Guarded takes a width alone") from error
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class ByHelper(nn.Module):
    def __init__(self, width):
        self._prepare()
        self.linear = nn.Linear(width, width)

    def _prepare(self):
        super().__init__()

    def forward(self, x):
        return self.linear(x)


@dataclass(eq=False)
class FromDataclass(nn.Module):
    width: int

    def __post_init__(self):
        super().__init__()
        self.linear = nn.Linear(self.width, self.width)

    def forward(self, x):
        return self.linear(x)


class Abstract(nn.Module):
    def __init__(self):
        raise NotImplementedError("build one of the subclasses")


class Module:
    """Shares nothing but the name with torch's."""


class NotTorch(Module):
    def __init__(self, factor):
        self.factor = factor

    def forward(self, x):
        return x * self.factor


class Predictor(object):
    # Another library's Predictor may be a module; this one is not.
    def __init__(self, model):
        self.model = model


class Unknown(FarPredictor):
    # Nothing is known of the base.
    def __init__(self, model):
        self.model = model
