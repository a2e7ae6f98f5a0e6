import torch
from torch import nn


class WithDevice(nn.Module):
    def forward(self, x):
        return x * torch.arange(x.shape[-1], device=x.device)


class FromInput(nn.Module):
    def forward(self, x):
        return x.new_ones(x.shape[-1]) * x + torch.zeros_like(x) + torch.randn_like(x)


class MovedAtOnce(nn.Module):
    def forward(self, x):
        x = x + torch.ones(x.shape[-1]).to(x.device)
        x = x * torch.linspace(0, 1, x.shape[-1]).to(x)
        return x - torch.zeros(x.shape[-1]).type_as(x)


class MovedNext(nn.Module):
    def forward(self, x):
        mask = torch.ones(x.shape[1], x.shape[1]).tril()
        mask = mask.to(x.device)
        return x @ mask


class NoDimension(nn.Module):
    # Mixes with any device.
    def forward(self, x):
        return x * torch.tensor(3.0) + torch.zeros(())


class IndexOnly(nn.Module):
    # A CPU index may index any tensor.
    def forward(self, x):
        order = torch.randperm(x.shape[0])
        x = x[order]
        return x[:, torch.arange(0, x.shape[1], 2)]


class Keywords(nn.Module):
    def forward(self, x):
        factory = {"device": x.device, "dtype": x.dtype}
        return x + torch.zeros(x.shape[-1], **factory)


class UnderDevice(nn.Module):
    def forward(self, x):
        with torch.device(x.device):
            steps = torch.arange(x.shape[-1])
        return x * steps


class InInit(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("steps", torch.arange(width))
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * self.steps * self.weight


class OutsideForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def example(self):
        return torch.randn(2, self.linear.in_features)

    def forward(self, x):
        return self.linear(x)


class SizesOnly(nn.Module):
    # Only its shape is used, which has no device.
    def forward(self, x):
        return x.expand(torch.broadcast_shapes(x.shape, (2, 1)))


class Computed(nn.Module):
    # Operations on what is there already make no new home.
    def forward(self, x):
        return torch.cat([x, torch.stack([x, x]).sum(0)], dim=-1)


class ByDefaultArgument(nn.Module):
    def start(self, x, device=None):
        return torch.zeros(x.shape[-1], device=x.device if device is None else device)

    def forward(self, x):
        return x + self.start(x)


def sample(width: int) -> torch.Tensor:
    return torch.randn(2, width)
