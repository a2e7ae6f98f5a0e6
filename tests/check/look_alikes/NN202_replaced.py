"""What each call replaces, moves, or fills with numbers keeps no graph and does not grow."""

import torch
from torch import nn


class Recorded(nn.Module):
    """Keeps the draws of the last call, in a dictionary of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.draws: dict[str, torch.Tensor] = {}

    def forward(
        self, x: torch.Tensor, draws: dict[str, torch.Tensor] | None = None
    ) -> torch.Tensor:
        if draws is None:
            self.draws = {"scale": torch.rand(x.shape[0], device=x.device)}
        else:
            self.draws = dict(draws)
        if "shift" not in self.draws:
            self.draws.update({"shift": torch.rand(x.shape[0], device=x.device)})
        return x * self.draws["scale"][:, None] + self.draws["shift"][:, None]


class Labels(nn.Module):
    """One-hot labels have no graph, though they have the shape of the logits."""

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        self.labels = torch.zeros_like(logits).scatter_(1, target.long().unsqueeze(1), 1)
        return (logits * self.labels).sum()


class Anchors(nn.Module):
    """Brings what the constructor computed to the device of the input."""

    def __init__(self, sizes: list[float]) -> None:
        super().__init__()
        self.anchors = [self.make(size) for size in sizes]  # NN201

    def make(self, size: float) -> torch.Tensor:
        return torch.stack([torch.as_tensor(size), torch.as_tensor(-size)])

    def place(self, device: torch.device) -> None:
        self.anchors = [anchor.to(device=device) for anchor in self.anchors]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.place(x.device)
        return x[:, None] + torch.stack(self.anchors)
