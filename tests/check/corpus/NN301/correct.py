import functools
import logging
from functools import partial

import torch
from torch import nn
from torch.amp import autocast

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TRAINING_DEVICE = "cuda"
half = partial(autocast, "cuda")


class Followed(nn.Module):
    def __init__(self, width, device=None):
        super().__init__()
        self.linear = nn.Linear(width, width, device=device)

    def forward(self, x):
        return self.linear(x) * torch.arange(x.shape[-1], device=x.device)


class Compared(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        if x.device.type == "cuda" and x.is_cuda:
            return self.linear(x)
        if x.device.type in ("cuda", "xpu") or str(x.device).startswith("cuda"):
            raise RuntimeError("this kernel needs cuda")
        return torch.relu(self.linear(x))


class Guarded(nn.Module):
    def __init__(self, width, device=None):
        super().__init__()
        if device is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.linear = nn.Linear(width, width, device=device)

    def forward(self, x):
        return self.linear(x)


class GuardedConstant(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width, device=DEVICE)

    def forward(self, x):
        return self.linear(x)


class GuardedBranch(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        if torch.cuda.is_available():
            self.linear = self.linear.cuda()

    def forward(self, x):
        return self.linear(x)


class Autocast(nn.Module):
    # Its argument names where autocasting is meant, not where a tensor lives.
    wrap = functools.partial(autocast, "cuda")

    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    @autocast("cuda")
    def project(self, x):
        return self.linear(x)

    @torch.amp.custom_fwd(device_type="cuda")
    def exact(self, x):
        return self.linear(x)

    def forward(self, x):
        with torch.autocast(device_type="cuda", enabled=False):
            x = self.project(x.float())
        with half(enabled=x.is_cuda), torch.autocast("cuda", dtype=torch.bfloat16):
            return self.exact(x)


class Kernels(nn.Module):
    # A key, not a device.
    backends = {"cuda": torch.relu, "cpu": torch.relu_}

    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        kernel = self.backends["cuda"] if x.is_cuda else self.backends["cpu"]
        return kernel(self.linear(x))


class Override(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.moves = 0

    def cuda(self, device=None):
        self.moves += 1
        return super().cuda(device)

    def forward(self, x):
        return self.linear(x)


class Words(nn.Module):
    """Runs on "cuda" as well as on a CPU."""

    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        logging.getLogger(__name__).info("cuda is not needed")

    def forward(self, x):
        return self.linear(x)


class Generator(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def seed(self, value):
        torch.cuda.manual_seed_all(value)
        return torch.cuda.device_count()

    def forward(self, x):
        return self.linear(x)


class CpuOnly(nn.Module):
    # A CPU is everywhere.
    def __init__(self, width):
        super().__init__()
        self.register_buffer("start", torch.zeros(width, device="cpu"))

    def forward(self, x):
        return x - self.start


def train(model: nn.Module) -> nn.Module:
    # Not a module: somebody has to choose.
    scaler = torch.amp.GradScaler("cuda")
    del scaler
    return model.to(TRAINING_DEVICE).cuda()
