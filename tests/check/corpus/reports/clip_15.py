"""openai/CLIP#15: some parameters are memory that nothing initialised.

The checkpoint overwrites them, so that only who trains from the start meets them.
"""

import torch
from torch import nn


class Reported(nn.Module):
    def __init__(self, words, length, width):
        super().__init__()
        self.token_embedding = nn.Embedding(words, width)
        self.positions = nn.Parameter(torch.empty(length, width))  # NN108
        self.projection = nn.Parameter(torch.empty(width, width))  # NN108

    def forward(self, tokens):
        x = self.token_embedding(tokens) + self.positions
        return x @ self.projection


class Corrected(nn.Module):
    def __init__(self, words, length, width):
        super().__init__()
        self.token_embedding = nn.Embedding(words, width)
        self.positions = nn.Parameter(torch.empty(length, width))
        self.projection = nn.Parameter(torch.empty(width, width))
        self.initialize_parameters()

    def initialize_parameters(self):
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.01)
        nn.init.normal_(self.projection, std=self.projection.shape[0] ** -0.5)

    def forward(self, tokens):
        x = self.token_embedding(tokens) + self.positions
        return x @ self.projection
