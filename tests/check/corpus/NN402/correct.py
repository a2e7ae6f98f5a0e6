import torch.nn.functional as F
from torch import nn


class Keyword(nn.Module):
    def forward(self, x):
        return F.dropout(x, 0.5, training=self.training)


class Positional(nn.Module):
    def forward(self, x):
        return F.dropout(x, 0.5, self.training)


class Registered(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.drop = nn.Dropout(p)

    def forward(self, x):
        return self.drop(x)


class MonteCarlo(nn.Module):
    # Random in evaluation on purpose, and it says so.
    def forward(self, x):
        return F.dropout(x, 0.5, training=True)


class Attention(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(
            q, k, v, dropout_p=self.p if self.training else 0.0, is_causal=True
        )


class AttentionLocal(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, q, k, v):
        p = self.p if self.training else 0.0
        return F.scaled_dot_product_attention(q, k, v, None, p)


class NoDropout(nn.Module):
    def forward(self, q, k, v):
        out = F.scaled_dot_product_attention(q, k, v)
        return out + F.scaled_dot_product_attention(q, k, v, dropout_p=0.0)


class Branch(nn.Module):
    def forward(self, x):
        if self.training:
            x = F.dropout(x, 0.1)
        return x


class EarlyReturn(nn.Module):
    def forward(self, x):
        if not self.training:
            return x
        return F.dropout(x, 0.1)


class FlagPassedOn(nn.Module):
    def _mix(self, x, training):
        return F.dropout(x, 0.1, training)

    def forward(self, x):
        return self._mix(x, self.training)


class ByMultiplication(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, dropout_p=self.p * self.training)


class Augmentation:
    # Not a module: whoever calls it wants the noise.
    def __call__(self, x):
        return F.dropout(x, 0.1)
