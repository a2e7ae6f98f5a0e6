"""Models that are unusual, and yet can be exported: no probe may take them for broken."""

import types
import weakref

import torch
from torch import Tensor, nn


class Plain(nn.Module):
    """Logits of digits."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(images.flatten(1))


class Aliases(Plain):
    """Plain attributes that lead to what is registered, or to nothing of the module's."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [self.linear]
        self.weights = {"weight": self.linear.weight}
        self.options = types.SimpleNamespace(scale=2.0, layer=self.linear)
        self.myself = weakref.ref(self)
        self.activation = torch.relu

    def forward(self, images: Tensor) -> Tensor:
        return self.activation(self.options.layer(images.flatten(1)) * self.options.scale)


class DropsOut(Plain):
    """Random in training alone."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        logits = nn.functional.dropout(self.linear(images.flatten(1)), training=self.training)
        return self.dropout(logits) + (torch.rand(10) if self.training else 0)


class CountsInTraining(Plain):
    """State that changes in training alone, and a value kept that nothing reads."""

    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))
        self.last_mean: Tensor | None = None

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            self.calls.add_(1)
        logits = self.linear(images.flatten(1)) + self.calls
        self.last_mean = logits.detach().mean()
        return logits


class FollowsItsInput(Plain):
    """Makes tensors where its input or its weights are."""

    def forward(self, images: Tensor) -> Tensor:
        steps = torch.arange(10, device=images.device)
        ones = torch.ones(10, device=self.linear.weight.device, dtype=images.dtype)
        logits = self.linear(images.flatten(1).to(images.device).to(self.linear.weight.dtype))
        return logits * ones + steps + images.new_zeros(10)


class ScaledByValue(Plain):
    """A value that decides nothing can stay a value of the program."""

    def forward(self, images: Tensor) -> Tensor:
        logits = self.linear(images.flatten(1))
        return logits / logits.abs().max()


class Rows(Plain):
    """Goes over the rows of all images as one batch, which takes a tensor that is contiguous."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Linear(8, 8)

    def forward(self, images: Tensor) -> Tensor:
        rows = self.rows(images.view(-1, 8))
        return self.linear(rows.view(-1, 64))


class ScalesItsInput(Plain):
    """Writes into what it is given."""

    def forward(self, images: Tensor) -> Tensor:
        images.mul_(2).sub_(1)
        return self.linear(images.flatten(1))


class ReturnsItsInput(nn.Module):
    """Its output is its input, written into."""

    def forward(self, images: Tensor) -> Tensor:
        return images.view(-1, 64).add_(1)


class Recurrent(nn.Module):
    """Rows as a sequence; torch's own layers make tensors and keep lists of weights."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(8, 16, batch_first=True, num_layers=2, dropout=0.5)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.norm = nn.BatchNorm1d(16)
        self.head = nn.utils.parametrizations.weight_norm(nn.Linear(16, 10))

    def forward(self, images: Tensor) -> Tensor:
        states, _ = self.recurrent(images.squeeze(1))
        states, _ = self.attention(states, states, states)
        return self.head(self.norm(states.mean(1)))


class Optional(Plain):
    """Takes more than a batch, but needs no more."""

    def forward(self, images: Tensor, scale: float = 2.0, *, shift: Tensor | None = None) -> Tensor:
        logits = self.linear(images.flatten(1)) * scale
        return logits if shift is None else logits + shift


class Tied(Plain):
    """A parameter used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(64, 64)
        self.again = self.hidden

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(self.again(self.hidden(images.flatten(1))))


class Several(nn.Module):
    """A tree of outputs, one of which is an input."""

    def forward(self, images: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        return {"both": (images.flatten(1), images)}


class ByName(nn.Module):
    """Takes its input by name only."""

    def forward(self, *, images: Tensor) -> Tensor:
        return images.flatten(1)
