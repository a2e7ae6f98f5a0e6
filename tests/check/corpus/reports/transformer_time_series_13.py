"""oliverguhr/transformer-time-series-prediction#13: a layer that only served as a pattern.

`nn.TransformerEncoder` copies the layer that it gets; the original on `self` is never called.
"""

from torch import nn


class Reported(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(width, 2)  # NN112
        self.encoder = nn.TransformerEncoder(self.layer, depth)
        self.decoder = nn.Linear(width, 1)

    def forward(self, x):
        return self.decoder(self.encoder(x))


class Corrected(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, 2)
        self.encoder = nn.TransformerEncoder(layer, depth)
        self.decoder = nn.Linear(width, 1)

    def forward(self, x):
        return self.decoder(self.encoder(x))
