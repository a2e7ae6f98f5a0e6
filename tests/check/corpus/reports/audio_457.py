"""pytorch/audio#457: `phase_advance` should be a buffer so that it moves.

A table from the constructor's numbers, indexed so that it gets a dimension, on a plain name.
"""

import math

import torch


class Reported(torch.nn.Module):
    def __init__(self, hop_length, bins):
        super().__init__()
        self.advance = torch.linspace(0, math.pi * hop_length, bins)[..., None]  # NN201

    def forward(self, spectrum, rate: float):
        return spectrum * rate + self.advance


class Corrected(torch.nn.Module):
    def __init__(self, hop_length, bins):
        super().__init__()
        advance = torch.linspace(0, math.pi * hop_length, bins)[..., None]
        self.register_buffer("advance", advance)

    def forward(self, spectrum, rate: float):
        return spectrum * rate + self.advance
