import torch
import torch.nn.functional as F
from torch import nn


class NewTensor(nn.Module):
    def forward(self, x):
        x = x - x.mean(-1, keepdim=True)
        x *= 2.0
        return x


class Cloned(nn.Module):
    def forward(self, x, mask):
        x = x.clone()
        x[mask] = 0.0
        return x.relu_()


class AfterLayer(nn.Module):
    # The convolution made the tensor that ReLU overwrites.
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv1d(width, width, 1)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.conv(x)
        y += x
        return F.relu(self.act(y), inplace=True)


class OwnMemory(nn.Module):
    def forward(self, x):
        out = torch.zeros_like(x)
        out[:, 0] = x[:, 0]
        out[:, 1:].copy_(x[:, 1:])
        return out


class Counted(nn.Module):
    # An integer cannot be changed in place.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x, depth: int):
        while depth > 0:
            x = self.linear(x)
            depth -= 1
        return x


class OptionsOfCall(nn.Module):
    # A dictionary of options, collected by the call itself.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x, **options):
        options["scale"] = options.get("scale", 1.0)
        return self.linear(x) * options["scale"]


class NotInplace(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = nn.ReLU(inplace=False)

    def forward(self, x):
        return F.leaky_relu(self.act(x), 0.1, inplace=False)


class BranchOfNew(nn.Module):
    def forward(self, x, bias=None):
        y = torch.exp(x)
        if bias is not None:
            y = y + bias
            y.add_(1.0)
        return y


class BufferInPlace(nn.Module):
    # Its own state, not the caller's.
    def __init__(self, width):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, x):
        self.mean.copy_(x.detach().mean(0))
        return x - self.mean


class OutsideForward(nn.Module):
    # A method whose name announces what it does, and which forward never calls.
    def scale_(self, x):
        return x.mul_(2.0)

    def forward(self, x):
        return 2.0 * x


class Joined(nn.Module):
    def forward(self, xs):
        total = xs[0] + xs[1]
        for x in xs[2:]:
            total += x
        return total


class LaterInSequential(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, width), nn.ReLU(inplace=True))

    def forward(self, x):
        return self.layers(x)


class ReplacedFirst(nn.Module):
    def __init__(self, width, start_with_relu):
        super().__init__()
        layers = [nn.ReLU(inplace=True), nn.Linear(width, width)]
        if start_with_relu:
            layers[0] = nn.ReLU()
        else:
            layers = layers[1:]
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)
