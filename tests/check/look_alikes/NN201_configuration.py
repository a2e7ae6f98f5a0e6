"""Configurations have attributes of tensors' names, which make no tensor of what they hold."""

from dataclasses import dataclass

from torch import nn


@dataclass
class Config:
    dim: int = 16
    dropout: float = 0.1
    max: float = 1.0
    bias: bool = True


class OfDataclass(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.out = nn.Linear(config.dim, config.dim, config.bias)
        self.dropout = config.dropout
        self.top = config.max

    def forward(self, x):
        x = self.out(x).clamp(max=self.top)
        return nn.functional.dropout(x, self.dropout, self.training)


class OfArguments(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.device = args.device
        self.shape = args.shape
        self.causal = args.causal
        self.hidden = args.hidden_size
        self.norm = args.norm
        self.out = nn.Linear(args.size, args.hidden_size)

    def forward(self, x):
        x = self.out(x)
        if self.causal:
            x = x.tril()
        return x[..., : self.hidden] if self.norm else x


class OfOptions(nn.Module):
    def forward(self, x, options):
        if options.size and options.mean:
            x = x * options.scale
        return x if options.norm else x + 1


class OfBatch(nn.Module):
    # Whatever has `shape` and something that no tensor has is none.
    def forward(self, batch):
        x = batch.x.reshape(batch.shape)
        return x if batch.is_sorted else x.flip(0)
