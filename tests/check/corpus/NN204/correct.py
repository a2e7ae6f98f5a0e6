import torch
import torch.nn.functional as F
from torch import nn


class TiedInInit(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        return self.head(self.embed(tokens))


class TieMethod(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.head = nn.Linear(width, words, bias=False)

    def tie_weights(self):
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        return self.head(self.embed(tokens))


class InPlace(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def on_train_batch_end(self, outputs, batch, index):
        with torch.no_grad():
            self.weight.clamp_(min=0)

    def forward(self, x):
        return x * self.weight


class Resized(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.embed = nn.Embedding(words, width)

    def resize_token_embeddings(self, words):
        old = self.embed.weight
        self.embed.weight = nn.Parameter(F.pad(old.detach(), (0, 0, 0, words - len(old))))

    def forward(self, tokens):
        return self.embed(tokens)


class Pruned(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def prune_heads(self, keep):
        self.linear.weight = nn.Parameter(self.linear.weight.detach()[keep])

    def load_from(self, weights):
        self.linear.weight = nn.Parameter(torch.as_tensor(weights["weight"]))

    def forward(self, x):
        return self.linear(x)


class LocalWeight(nn.Module):
    # A value computed from the parameter under another name.
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, width))

    def forward(self, x):
        weight = self.weight / self.weight.norm(dim=-1, keepdim=True)
        return F.linear(x, weight)


class Functional(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x, weight):
        return torch.func.functional_call(self.linear, {"weight": weight}, (x,))


class Learner:
    # No module: what it rebinds is its own.
    def __init__(self, width):
        self.weight = nn.Parameter(torch.ones(width))

    def training_step(self, batch):
        self.weight = nn.Parameter(self.weight.detach() * 0.9)
