import torch
from torch import nn


class InInit(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return x + self.bias


class Resized(nn.Module):
    # A method that forward never reaches, after which the optimizer is built anew.
    def __init__(self, width):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(width, 4))

    def resize(self, width):
        table = torch.zeros(width, 4)
        table[: len(self.table)] = self.table.detach()
        self.table = nn.Parameter(table)

    def forward(self, tokens):
        return self.table[tokens]


class Lazy(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.LazyLinear(width)

    def forward(self, x):
        return self.linear(x)


class LazyOwn(nn.modules.lazy.LazyModuleMixin, nn.Module):
    # torch's own form: materialised by a hook before the first forward.
    def __init__(self):
        super().__init__()
        self.weight = nn.UninitializedParameter()

    def initialize_parameters(self, x):
        if self.has_uninitialized_params():
            self.weight.materialize((x.shape[-1],))
            nn.init.ones_(self.weight)

    def forward(self, x):
        return x * self.weight


class Checked(nn.Module):
    # Asks what is a parameter, makes none.
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        if not isinstance(self.weight, nn.Parameter):
            raise TypeError("weight was replaced by a tensor")
        return x * self.weight


class CalledByInit(nn.Module):
    def __init__(self, width):
        super().__init__()
        self._build(width)

    def _build(self, width):
        self.weight = nn.Parameter(torch.ones(width))
        self.register_parameter("bias", nn.Parameter(torch.zeros(width)))

    def forward(self, x):
        return x * self.weight + self.bias


class Forwarder:
    # A forward, but no module.
    def forward(self, x):
        return nn.Parameter(x)
