"""pytorch/pytorch#94828: parameters transferred to a GPU are ignored.

As #20089, beside a layer that is registered: the optimizer is not empty, so nothing warns.
"""

import torch


class Reported(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.offset = torch.nn.Parameter(torch.rand(10), requires_grad=True).cuda()  # NN107 NN301
        self.linear = torch.nn.Linear(10, 20)

    def forward(self, x):
        x = self.offset + x
        x = self.linear(x)
        return x


class Corrected(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.offset = torch.nn.Parameter(torch.rand(10), requires_grad=True)
        self.linear = torch.nn.Linear(10, 20)

    def forward(self, x):
        x = self.offset + x
        x = self.linear(x)
        return x
