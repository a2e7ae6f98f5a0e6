import torch
from torch import nn


class Buffer(nn.Module):
    mean: torch.Tensor

    def __init__(self, width):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width), persistent=False)

    def forward(self, x):
        return (x - self.mean) / self.std


class AssignedAfterwards(nn.Module):
    # The name is a buffer's, so a tensor assigned to it stays one.
    def __init__(self, width):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.mean = torch.ones(width) / width

    def forward(self, x):
        return x - self.mean


class Placeholder(nn.Module):
    # A plain name first, for readers, and the buffer of the same name later.
    def __init__(self, width):
        super().__init__()
        self.width = width
        mask = torch.ones(width, width).tril()
        self.register_buffer("mask", mask)
        self.mask: torch.Tensor

    def forward(self, x):
        return x @ self.mask


class FilledLater(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", None)

    def calibrate(self, values: torch.Tensor) -> None:
        self.scale = values.detach().std()

    def forward(self, x):
        return x if self.scale is None else x / self.scale


class BufferObject(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mean = nn.Buffer(torch.zeros(width))
        self.std = nn.Buffer(torch.ones(width), persistent=False)

    def forward(self, x):
        return (x - self.mean) / self.std


class AsParameter(nn.Module):
    def __init__(self, width):
        super().__init__()
        weight = torch.randn(width)
        self.weight = nn.Parameter(weight)
        self.frozen = nn.Parameter(torch.ones(width), requires_grad=False)

    def forward(self, x):
        return x * self.weight * self.frozen


class LocalTensor(nn.Module):
    # Tensors that are used up while numbers are computed.
    def __init__(self, width):
        super().__init__()
        values = torch.linspace(0, 1, width)
        self.rates = values.tolist()
        self.total = float(values.sum())
        self.size = values.shape
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x) * self.total


class Numbers(nn.Module):
    # Becomes a tensor where the input is.
    def __init__(self, mean=(0.5, 0.5, 0.5)):
        super().__init__()
        self.mean = list(mean)

    def forward(self, x):
        return x - torch.tensor(self.mean, device=x.device, dtype=x.dtype)


class Applied(nn.Module):
    # Moves its plain tensor itself.
    def __init__(self, width):
        super().__init__()
        self.table = torch.arange(width, dtype=torch.float32)

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        self.table = fn(self.table)
        return self

    def forward(self, x):
        return x * self.table


class Dataset:
    # No module.
    def __init__(self, values):
        self.values = torch.tensor(values)


class Types(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.dtype = torch.float32
        self.shape = torch.Size([width])
        self.size = torch.zeros(width).numel()
        self.function = torch.zeros
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class ByLoop(nn.Module):
    # Registered under names that only the loop knows.
    def __init__(self, sizes):
        super().__init__()
        self.count = len(sizes)
        for index, size in enumerate(sizes):
            self.register_buffer(f"mask{index}", torch.ones(size, size).tril())

    def forward(self, x, level):
        return x * getattr(self, f"mask{level}")


class Descriptor(nn.Module):
    # The property's setter registers.
    def __init__(self, width):
        super().__init__()
        self.register_buffer("_mean", torch.zeros(width))
        self.mean = torch.ones(width)

    @property
    def mean(self):
        return self._mean

    @mean.setter
    def mean(self, value):
        self._mean.copy_(value)

    def forward(self, x):
        return x - self.mean


class OptionalNone(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.cache = None
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)
