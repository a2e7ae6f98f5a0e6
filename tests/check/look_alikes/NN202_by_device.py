"""Labels for each device, made anew where another number of them is asked for."""

import torch
from torch import nn


class Contrastive(nn.Module):
    """Keeps the labels of the last batch size."""

    def __init__(self) -> None:
        super().__init__()
        self.labels: dict[torch.device, torch.Tensor] = {}

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        device, count = logits.device, logits.shape[0]
        if device not in self.labels or self.labels[device].shape[0] != count:
            self.labels[device] = torch.arange(count, device=device)
        return nn.functional.cross_entropy(logits, self.labels[device])
