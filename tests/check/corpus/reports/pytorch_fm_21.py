"""rixwew/pytorch-fm#21: `F.dropout` without `training=self.training`.

Attention scores were dropped in evaluation, too; two calls in one forward.
"""

import torch
import torch.nn.functional as F


class Reported(torch.nn.Module):
    def __init__(self, width, hidden, dropouts):
        super().__init__()
        self.attention = torch.nn.Linear(width, hidden)
        self.projection = torch.nn.Linear(hidden, 1)
        self.dropouts = dropouts

    def forward(self, products):
        scores = F.relu(self.attention(products))
        scores = F.softmax(self.projection(scores), dim=1)
        scores = F.dropout(scores, p=self.dropouts[0])  # NN402
        output = torch.sum(scores * products, dim=1)
        return F.dropout(output, p=self.dropouts[1])  # NN402


class Corrected(torch.nn.Module):
    def __init__(self, width, hidden, dropouts):
        super().__init__()
        self.attention = torch.nn.Linear(width, hidden)
        self.projection = torch.nn.Linear(hidden, 1)
        self.dropouts = dropouts

    def forward(self, products):
        scores = F.relu(self.attention(products))
        scores = F.softmax(self.projection(scores), dim=1)
        scores = F.dropout(scores, p=self.dropouts[0], training=self.training)
        output = torch.sum(scores * products, dim=1)
        return F.dropout(output, p=self.dropouts[1], training=self.training)
