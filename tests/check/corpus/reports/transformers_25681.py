"""huggingface/transformers#25681: rotary tables are wrong after a cast to half precision.

Positions counted in the model's dtype: bfloat16 has no integer between 256 and 258.
"""

import torch


class Reported(torch.nn.Module):
    def __init__(self, width, base=10000.0):
        super().__init__()
        rate = 1.0 / (base ** (torch.arange(0, width, 2).float() / width))
        self.register_buffer("rate", rate, persistent=False)

    def forward(self, x):
        position = torch.arange(x.shape[1], device=x.device, dtype=x.dtype)  # NN303
        angle = torch.outer(position, self.rate.to(x.dtype))
        return angle.cos(), angle.sin()


class Corrected(torch.nn.Module):
    def __init__(self, width, base=10000.0):
        super().__init__()
        self.width = width
        self.base = base

    def forward(self, x):
        step = torch.arange(0, self.width, 2, device=x.device, dtype=torch.float32)
        rate = self.base ** (-step / self.width)
        position = torch.arange(x.shape[1], device=x.device, dtype=torch.float32)
        angle = torch.outer(position, rate)
        return angle.cos().to(x.dtype), angle.sin().to(x.dtype)
