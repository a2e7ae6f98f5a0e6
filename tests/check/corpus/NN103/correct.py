import weakref

import torch
from torch import nn


class LocalList(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        layers = []
        for _ in range(depth):
            layers += [nn.Linear(width, width), nn.ReLU()]
        self.net = nn.Sequential(*layers)

    def forward(self, x):
        return self.net(x)


class BecomesModuleList(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.layers = []
        for _ in range(depth):
            self.layers.append(nn.Linear(width, width))
        self.layers = nn.ModuleList(self.layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class AlsoSequential(nn.Module):
    # The plain list stays, and all its items are children of `net`.
    def __init__(self, width, depth):
        super().__init__()
        self.layers = [nn.Linear(width, width) for _ in range(depth)]
        self.net = nn.Sequential(*self.layers)

    def forward(self, x):
        return self.net(x)

    def depth(self):
        return len(self.layers)


class AddModule(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.layers = []
        for index in range(depth):
            layer = nn.Linear(width, width)
            self.add_module(f"layer{index}", layer)
            self.layers.append(layer)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class SetAttribute(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.layers = [nn.Linear(width, width) for _ in range(depth)]
        for index, layer in enumerate(self.layers):
            setattr(self, f"layer{index}", layer)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class RegisterModule(nn.Module):
    def __init__(self, width, names):
        super().__init__()
        self.heads = {}
        for name in names:
            self.heads[name] = nn.Linear(width, 1)
            self.register_module(f"head_{name}", self.heads[name])

    def forward(self, x):
        return {name: head(x) for name, head in self.heads.items()}


class Aliases(nn.Module):
    # A second way to registered modules.
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        self.order = [self.first, self.second]

    def forward(self, x):
        for layer in self.order:
            x = layer(x)
        return x


class AliasesByName(nn.Module):
    def __init__(self, width):
        super().__init__()
        encoder = nn.Linear(width, width)
        decoder = nn.Linear(width, width)
        self.encoder = encoder
        self.decoder = decoder
        self.parts = {"encoder": encoder, "decoder": decoder}

    def forward(self, x):
        return self.parts["decoder"](self.parts["encoder"](x))


class Names(nn.Module):
    # Keeps names and fetches by getattr.
    def __init__(self, width, depth):
        super().__init__()
        self.names = [f"layer{index}" for index in range(depth)]
        for name in self.names:
            setattr(self, name, nn.Linear(width, width))

    def forward(self, x):
        for name in self.names:
            x = getattr(self, name)(x)
        return x


class Numbers(nn.Module):
    def __init__(self, sizes, window=(3, 3)):
        super().__init__()
        self.sizes = list(sizes)
        self.window = tuple(window)
        self.shape = torch.Size([1, *sizes])
        self.options = {"mode": "same", "groups": 1}
        self.linear = nn.Linear(self.sizes[0], self.sizes[-1])

    def forward(self, x):
        return self.linear(x)


class Classes(nn.Module):
    # Classes and functions are no modules.
    kinds = {"relu": nn.ReLU, "gelu": nn.GELU}

    def __init__(self, width, kind="relu"):
        super().__init__()
        self.choices = [nn.ReLU, nn.GELU]
        self.functions = (torch.relu, nn.functional.gelu)
        self.linear = nn.Linear(width, width)
        self.activation = self.kinds[kind]()

    def forward(self, x):
        return self.functions[0](self.activation(self.linear(x)))


class WeakReference(nn.Module):
    # A child that knows its owner without becoming its parent.
    def __init__(self, owner: nn.Module, width: int):
        super().__init__()
        self.owner = weakref.ref(owner)
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class GoesRound(nn.Module):
    # The teacher is kept out of the state dict on purpose.
    def __init__(self, teacher: nn.Module, width: int):
        super().__init__()
        object.__setattr__(self, "teacher", [teacher])
        self.student = nn.Linear(width, width)

    def forward(self, x):
        return self.student(x)


class Hyperparameters:
    # No module: what it holds is nobody's child.
    def __init__(self, models):
        self.models = [nn.Linear(width, 1) for width in models]


class ListOfLists(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        stages = []
        for _ in range(depth):
            stages.append([nn.Linear(width, width), nn.ReLU()])
        self.stages = nn.ModuleList([nn.ModuleList(stage) for stage in stages])

    def forward(self, x):
        for linear, activation in self.stages:
            x = activation(linear(x))
        return x


class Optimisers(nn.Module):
    # Built from modules, without being one: nothing to register.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.groups = [{"params": list(self.linear.parameters()), "lr": 0.1}]
        self.widths = [nn.Linear(width, width).out_features]

    def forward(self, x):
        return self.linear(x)


class Popped(nn.Module):
    # The list only passes the modules on.
    def __init__(self, width):
        super().__init__()
        parts = [nn.Linear(width, width), nn.LayerNorm(width)]
        self.linear, self.norm = parts

    def forward(self, x):
        return self.norm(self.linear(x))


class Converted(nn.Module):
    def __init__(self, width, names):
        super().__init__()
        heads = {name: nn.Linear(width, 1) for name in names}
        self.heads = nn.ModuleDict(heads)
        self.order = list(self.heads)

    def forward(self, x):
        return [self.heads[name](x) for name in self.order]


class Subclass(nn.ModuleList):
    def __init__(self, width, depth):
        super().__init__([nn.Linear(width, width) for _ in range(depth)])

    def forward(self, x):
        for layer in self:
            x = layer(x)
        return x


class Enumerated(nn.Module):
    # Registered one by one, after the list is complete.
    def __init__(self, width, depth):
        super().__init__()
        self.layers = [nn.Linear(width, width) for _ in range(depth)]
        for index, layer in enumerate(self.layers):
            self.add_module(str(index), layer)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class ByProperty(nn.Module):
    # The list is made when somebody asks.
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    @property
    def layers(self):
        return [self.first, self.second]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class ThroughHelper(nn.Module):
    # The helper's list goes into a container.
    def __init__(self, width, depth):
        super().__init__()
        self.layers = nn.Sequential(*self._make(width, depth))

    def _make(self, width, depth):
        layers = [nn.Linear(width, width)]
        layers.extend(nn.Linear(width, width) for _ in range(depth - 1))
        return layers

    def forward(self, x):
        return self.layers(x)


class InForward(nn.Module):
    # A list for the time of the call.
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, x):
        order = [self.first, self.second] if self.training else [self.second, self.first]
        for layer in order:
            x = layer(x)
        return x


class Results(nn.Module):
    # What modules return, not modules.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.sizes = [tuple(parameter.shape) for parameter in self.linear.parameters()]
        self.names = [name for name, _ in self.linear.named_parameters()]

    def forward(self, x):
        return self.linear(x)
