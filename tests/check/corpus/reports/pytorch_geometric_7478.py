"""pyg-team/pytorch_geometric#7478: layers in a list break the introduction's example.

Two layers of unlike sizes written into a list and taken out of it by their index.
"""

import torch
import torch.nn.functional as F


class Convolution(torch.nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = torch.nn.Linear(inputs, outputs)

    def forward(self, x, adjacency):
        return adjacency @ self.linear(x)


class Reported(torch.nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.convs = [Convolution(inputs, 16), Convolution(16, classes)]  # NN103

    def forward(self, x, adjacency):
        x = F.relu(self.convs[0](x, adjacency))
        x = F.dropout(x, training=self.training)
        return F.log_softmax(self.convs[1](x, adjacency), dim=1)


class Corrected(torch.nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.conv1 = Convolution(inputs, 16)
        self.conv2 = Convolution(16, classes)

    def forward(self, x, adjacency):
        x = F.relu(self.conv1(x, adjacency))
        x = F.dropout(x, training=self.training)
        return F.log_softmax(self.conv2(x, adjacency), dim=1)
