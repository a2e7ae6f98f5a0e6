"""A name of a method is not the constant of the file that has the same name."""

import torch
from torch import nn


class Attention(nn.Module):
    """Its `v` is a projection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.to_v = nn.Linear(width, width)

    def forward(self, img: torch.Tensor) -> torch.Tensor:
        v = self.to_v(img)
        return v + img


if __name__ == "__main__":
    v = Attention(8).cuda()
    img = torch.randn(2, 8).cuda()
    print(v(img))
