"""pytorch/pytorch#59925: implicit registration permits silent errors.

The shortest form: nothing but the list, so that the model has no parameters at all.
"""

import torch


class Reported(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [torch.nn.Linear(4, 4) for i in range(2)]  # NN103

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Corrected(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(*[torch.nn.Linear(4, 4) for i in range(2)])

    def forward(self, x):
        return self.layers(x)
