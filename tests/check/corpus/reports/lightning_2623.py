"""Lightning-AI/pytorch-lightning#2623: some of the modules are still on the CPU.

Convolutions appended in a loop over powers of two, then fully connected layers that do move.
"""

import math

from torch import nn


class Reported(nn.Module):
    def __init__(self, channels, classes):
        super(Reported, self).__init__()
        self.convolutions = []  # NN103
        for index in range(int(math.log2(channels))):
            self.convolutions.append(
                nn.Conv1d(
                    in_channels=2**index,
                    out_channels=2 ** (index + 1),
                    kernel_size=3,
                )
            )
        self.head = nn.Linear(channels, classes)

    def forward(self, x):
        for convolution in self.convolutions:
            x = convolution(x)
        return self.head(x.mean(-1))


class Corrected(nn.Module):
    def __init__(self, channels, classes):
        super(Corrected, self).__init__()
        convolutions = []
        for index in range(int(math.log2(channels))):
            convolutions.append(
                nn.Conv1d(
                    in_channels=2**index,
                    out_channels=2 ** (index + 1),
                    kernel_size=3,
                )
            )
        self.convolutions = nn.Sequential(*convolutions)
        self.head = nn.Linear(channels, classes)

    def forward(self, x):
        return self.head(self.convolutions(x).mean(-1))
