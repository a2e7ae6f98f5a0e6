from torch import nn


class PlainBefore(nn.Module):
    def __init__(self, width, name="plain", sizes=(1, 2)):
        self.width = width
        self.name = name
        self.sizes = list(sizes)
        self.extra = None
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class LocalBefore(nn.Module):
    # Built before, assigned after.
    def __init__(self, width):
        linear = nn.Linear(width, width)
        super().__init__()
        self.linear = linear

    def forward(self, x):
        return self.linear(x)


class ClassBefore(nn.Module):
    # A class is no module yet.
    def __init__(self, width, activation=nn.ReLU):
        self.activation_class = activation
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.activation = self.activation_class()

    def forward(self, x):
        return self.activation(self.linear(x))


class CheckBefore(nn.Module):
    def __init__(self, encoder: nn.Module, width: int):
        if not isinstance(encoder, nn.Module):
            raise TypeError(f"encoder must be a module, not {encoder!r}")
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        return self.head(self.encoder(x))


class ConfigBefore(nn.Module):
    def __init__(self, config):
        self.config = config
        self.heads = config["heads"]
        super().__init__()
        self.attention = nn.MultiheadAttention(config["width"], self.heads)

    def forward(self, x):
        return self.attention(x, x, x)[0]


class HelperOfNumbers(nn.Module):
    def __init__(self, width):
        self._measure(width)
        super().__init__()
        self.linear = nn.Linear(self.inner, width)

    def _measure(self, width):
        self.inner = 4 * width

    def forward(self, x):
        return self.linear(x)


class Unregistered(nn.Module):
    # Goes round nn.Module.__setattr__ on purpose: the owner is not a child.
    def __init__(self, owner: nn.Module, width: int):
        object.__setattr__(self, "owner", owner)
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class Trainer:
    # No module, and so nothing to be late for.
    def __init__(self, width):
        self.model = nn.Linear(width, 1)
        super().__init__()


class SuperInPassedList(nn.Sequential):
    def __init__(self, width, depth):
        layers = [nn.Linear(width, width) for _ in range(depth)]
        layers.append(nn.ReLU())
        super().__init__(*layers)
