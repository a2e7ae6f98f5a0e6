import torch
from torch import nn


class AllUsed(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.shortcut = nn.Linear(width, width)

    def forward(self, x):
        return self.shortcut(x) + self.linear(x)


class ByMethod(nn.Module):
    # Other methods are uses, too: a caller may want them alone.
    def __init__(self, width):
        super().__init__()
        self.encoder = nn.Linear(width, width)
        self.decoder = nn.Linear(width, width)

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.encode(x)


class ByGetattr(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.depth = depth
        self.layer0 = nn.Linear(width, width)
        self.layer1 = nn.Linear(width, width)

    def forward(self, x):
        for index in range(self.depth):
            x = getattr(self, f"layer{index}")(x)
        return x


class ByChildren(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, x):
        for child in self.children():
            x = child(x)
        return x


class ByModules(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(width, width)

    def forward(self, x):
        return self._modules["first"](x)


class Template(nn.Module):
    # The forward is a subclass's.
    def __init__(self, width):
        super().__init__()
        self.trunk = nn.Linear(width, width)


class Concrete(Template):
    def __init__(self, width):
        super().__init__(width)
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        return self.head(self.trunk(x))


class Hooked(nn.Module):
    # The parent's forward calls what the child defines.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def finish(self, x):
        return x

    def forward(self, x):
        return self.finish(self.linear(x))


class HookedChild(Hooked):
    def __init__(self, width):
        super().__init__(width)
        self.norm = nn.LayerNorm(width)

    def finish(self, x):
        return self.norm(x)


class Overriding(Hooked):
    # Takes the parent's place: the parent's forward uses the name.
    def __init__(self, width):
        super().__init__(width)
        self.linear = nn.Linear(width, width, bias=False)


class Aliased(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        self.order = [self.first, self.second]

    def forward(self, x):
        for layer in self.order:
            x = layer(x)
        return x


class Tied(nn.Module):
    # A second name for weights that are used under the first.
    def __init__(self, words, width):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        return self.head(self.embed(tokens))


class Cell(nn.Module):
    # A container whose parts another module calls.
    def __init__(self, width):
        super().__init__()
        self.gate = nn.Linear(width, width)


class Loop(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.cell = Cell(width)

    def forward(self, x):
        return torch.sigmoid(self.cell.gate(x))


class PartsOfOther(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.frozen = nn.Parameter(torch.ones(width), requires_grad=False)

    def forward(self, x):
        return self.apply_with(self, x)

    @staticmethod
    def apply_with(model, x):
        return model.linear(x) * model.frozen


class PassesItself(nn.Module):
    # Whoever gets the module may use any part of it.
    def __init__(self, width, run):
        super().__init__()
        self.run = run
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.run(self, x)


class Placeholder(nn.Module):
    def __init__(self, width, normalise):
        super().__init__()
        self.linear = nn.Linear(width, width)
        if normalise:
            self.norm = nn.LayerNorm(width)
        else:
            self.register_module("norm", None)

    def forward(self, x):
        x = self.linear(x)
        return x if self.norm is None else self.norm(x)


class Weightless(nn.Module):
    # Without state, they are in no checkpoint and miss no gradient.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.activation = nn.ReLU()
        self.dropout = nn.Dropout()
        self.both = nn.Sequential(nn.ReLU(), nn.Dropout())

    def forward(self, x):
        return self.linear(x)
