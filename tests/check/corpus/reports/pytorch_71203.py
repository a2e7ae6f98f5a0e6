"""pytorch/pytorch#71203: keys of a `ModuleDict` cannot be names of its attributes.

Columns of a data set become keys, and one of them is called `to`.
"""

from torch import nn


class Reported(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.columns = nn.ModuleDict(
            {
                "from": nn.Linear(width, 1),
                "to": nn.Linear(width, 1),  # NN110
                "type": nn.Linear(width, 1),  # NN110
            }
        )

    def forward(self, x):
        return {name: column(x) for name, column in self.columns.items()}


class Corrected(nn.Module):
    def __init__(self, width):
        super().__init__()
        names = ("from", "to", "type")
        self.columns = nn.ModuleDict({f"column_{name}": nn.Linear(width, 1) for name in names})

    def forward(self, x):
        return {name: column(x) for name, column in self.columns.items()}
