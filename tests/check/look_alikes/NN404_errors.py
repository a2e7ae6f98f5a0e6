"""What is fetched for the text of an error delays nothing but the error."""

import torch
from torch import nn


class Detector(nn.Module):
    """Names the first box that is empty."""

    def forward(self, boxes: torch.Tensor) -> torch.Tensor:
        if boxes.ndim != 2:
            first = boxes.flatten()[0].item()
            raise ValueError(f"boxes have two dimensions; the first value is {first}")
        if boxes.shape[-1] != 4:
            rows = boxes.tolist()
            torch._assert(False, f"boxes have four corners: {rows}")
        return boxes
