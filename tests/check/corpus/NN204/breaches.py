import torch
import torch.nn.functional as F
from torch import nn


class TiedInForward(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.head = nn.Linear(width, words, bias=False)

    def forward(self, tokens):
        self.head.weight = self.embed.weight  # NN204
        return self.head(self.embed(tokens))


class BySetattr(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.encoder = nn.Linear(width, width)
        self.decoder = nn.Linear(width, width)

    def forward(self, x):
        setattr(self.decoder, "bias", self.encoder.bias)  # NN204
        return self.decoder(self.encoder(x))


class Swapped(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.average = nn.Parameter(torch.ones(width))

    def forward(self, x):
        if not self.training:
            self.weight = self.average  # NN204
        return x * self.weight


class AtEachStep(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * self.weight

    def training_step(self, batch):
        x, target = batch
        loss = F.mse_loss(self(x), target)
        self.weight = nn.Parameter(self.weight.detach().clamp(min=0))  # NN204
        return loss


class AfterEachBatch(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)

    def on_train_batch_end(self, outputs, batch, index):
        weight = self.linear.weight.detach()
        self.linear.weight = nn.Parameter(weight / weight.norm())  # NN204


class InDictionary(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.master = nn.Parameter(torch.ones(width))

    def forward(self, x):
        self._parameters["weight"] = self.master  # NN204
        return x * self.weight


class InHelper(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.head = nn.Linear(width, words, bias=False)

    def _tie(self):
        self.head.weight = self.embed.weight  # NN204

    def forward(self, tokens):
        self._tie()
        return self.head(self.embed(tokens))
