"""pytorch/pytorch#715: parameters are missing where modules are made in a list.

A loop appends pairs, lists in the list; the activation's class is looked up by its name.
"""

from torch import nn


class Reported(nn.Module):
    def __init__(self, options):
        super().__init__()
        self.hidden = []  # NN103
        width = options["inputs"]
        for _ in range(options["depth"]):
            self.hidden.append([nn.Linear(width, options["width"]), getattr(nn, options["act"])()])
            width = options["width"]
        self.classifier = nn.Linear(width, 3)

    def forward(self, x):
        for linear, act in self.hidden:
            x = act(linear(x))
        return self.classifier(x)


class Corrected(nn.Module):
    def __init__(self, options):
        super().__init__()
        self.hidden = nn.ModuleList()
        width = options["inputs"]
        for _ in range(options["depth"]):
            act = getattr(nn, options["act"])()
            self.hidden.append(nn.Sequential(nn.Linear(width, options["width"]), act))
            width = options["width"]
        self.classifier = nn.Linear(width, 3)

    def forward(self, x):
        for block in self.hidden:
            x = block(x)
        return self.classifier(x)
