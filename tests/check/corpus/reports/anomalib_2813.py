"""open-edge-platform/anomalib#2813: training embeddings stay in memory.

Each training call appends what it computed; `fit` stacks the list, which nobody empties.
"""

import torch
from torch import nn


class Reported(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.backbone = nn.Linear(width, width)
        self.embeddings = []
        self.register_buffer("bank", torch.zeros(1, width))

    def forward(self, x):
        embedding = self.backbone(x)
        if self.training:
            self.embeddings.append(embedding)  # NN202
            return embedding
        return torch.cdist(embedding, self.bank).amin(-1)

    def fit(self):
        self.bank = torch.vstack(self.embeddings)


class Corrected(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.backbone = nn.Linear(width, width)
        self.register_buffer("bank", torch.zeros(1, width))

    def forward(self, x):
        embedding = self.backbone(x)
        if self.training:
            return embedding
        return torch.cdist(embedding, self.bank).amin(-1)

    def fit(self, embeddings: list[torch.Tensor]):
        self.bank = torch.vstack(embeddings)
