import torch
from torch import nn

DEVICE = "cuda"
FIRST = torch.device("cuda:0")


class Factory(nn.Module):
    def forward(self, x):
        return x * torch.arange(x.shape[-1], device="cuda")  # NN301


class CudaMethod(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width).cuda())  # NN301

    def forward(self, x):
        return x - self.mean


class ToString(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width).to("cuda:0")  # NN301

    def forward(self, x):
        return self.linear(x)


class Default(nn.Module):
    def __init__(self, width, device="cuda"):  # NN301
        super().__init__()
        self.linear = nn.Linear(width, width, device=device)

    def forward(self, x):
        return self.linear(x)


class Constant(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width, device=DEVICE)  # NN301

    def forward(self, x):
        return self.linear(x)


class ConstantDevice(nn.Module):
    def forward(self, x):
        return x + torch.ones(1, device=FIRST)  # NN301


class DeviceObject(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.device = torch.device("cuda")  # NN301
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x.to(self.device))


class Rank(nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.linear = nn.Linear(width, width).to(f"cuda:{rank}")  # NN301

    def forward(self, x):
        return self.linear(x)


class InputMoved(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def _prepare(self, x):
        return x.cuda(non_blocking=True)  # NN301

    def forward(self, x):
        return self.linear(self._prepare(x))


class Typed(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width
        self.device = "cuda"  # NN301

    def forward(self, x):
        return x + torch.zeros(self.width, device=self.device)
