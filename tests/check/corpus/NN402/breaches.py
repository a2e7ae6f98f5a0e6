import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.functional import dropout as drop


class NoFlag(nn.Module):
    def forward(self, x):
        return F.dropout(x, 0.5)  # NN402


class OwnRate(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return F.dropout(self.linear(x), p=self.p, inplace=False)  # NN402


class BuiltInForward(nn.Module):
    # A new module is in training mode.
    def forward(self, x):
        return nn.Dropout(0.1)(x)  # NN402


class Attention(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, dropout_p=self.p)  # NN402


class Aliased(nn.Module):
    def forward(self, x):
        return drop(x)  # NN402


class InHelper(nn.Module):
    def _noise(self, x):
        return torch.nn.functional.dropout2d(x, 0.2)  # NN402

    def forward(self, x):
        return self._noise(x)


class ThroughLocal(nn.Module):
    def forward(self, x):
        noise = nn.Dropout2d(0.2)  # NN402
        return noise(x)


class OnAttention(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, scores, v):
        weights = F.dropout(scores.softmax(-1), self.p)  # NN402
        return weights @ v


class OnlyInEval(nn.Module):
    def forward(self, x):
        if not self.training:
            x = F.dropout(x, 0.5)  # NN402
        return x


class AfterTraining(nn.Module):
    def forward(self, x):
        if self.training:
            return x
        return F.dropout(x, 0.5)  # NN402
