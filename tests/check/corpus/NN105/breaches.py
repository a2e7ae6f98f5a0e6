import torch
from torch import nn
from torch.nn.parameter import Parameter


class OnFirstCall(nn.Module):
    def forward(self, x):
        if not hasattr(self, "bias"):
            self.bias = nn.Parameter(x.new_zeros(x.shape[-1]))  # NN105
        return x + self.bias


class EachCall(nn.Module):
    def forward(self, x):
        weight = nn.Parameter(torch.ones(x.shape[-1], device=x.device))  # NN105
        return x * weight


class ByRegister(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = None

    def forward(self, x):
        if self.scale is None:
            del self.scale
            self.register_parameter("scale", Parameter(x.new_ones(x.shape[-1])))  # NN105
        return x * self.scale


class ByHelper(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = None

    def _build(self, width, device):
        self.weight = Parameter(torch.ones(width, device=device))  # NN105

    def forward(self, x):
        if self.weight is None:
            self._build(x.shape[-1], x.device)
        return x * self.weight


class Wrapped(nn.Module):
    # Wraps the old value again at every call: the optimizer holds the first.
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        self.weight = nn.Parameter(self.weight.clamp(min=0))  # NN105
        return x * self.weight


class InDict(nn.Module):
    def __init__(self):
        super().__init__()
        self.tables = nn.ParameterDict()

    def forward(self, x, name):
        if name not in self.tables:
            self.tables[name] = nn.Parameter(x.new_zeros(x.shape[-1]))  # NN105
        return x + self.tables[name]
