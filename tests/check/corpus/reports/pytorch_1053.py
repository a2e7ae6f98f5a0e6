"""pytorch/pytorch#1053: submodules in a list stayed on the CPU after `.cuda()`.

Three convolutions written out in a list, under the import name of an old habit.
"""

import torch as th


class Reported(th.nn.Module):
    def __init__(self, width):
        super(Reported, self).__init__()
        self.convolutions = [  # NN103
            th.nn.Conv1d(width, 1, 3),
            th.nn.Conv1d(width, 1, 4),
            th.nn.Conv1d(width, 1, 5),
        ]

    def forward(self, x):
        return th.cat([conv(x).amax(-1) for conv in self.convolutions], dim=1)


class Corrected(th.nn.Module):
    def __init__(self, width):
        super(Corrected, self).__init__()
        self.convolutions = th.nn.ModuleList(
            [
                th.nn.Conv1d(width, 1, 3),
                th.nn.Conv1d(width, 1, 4),
                th.nn.Conv1d(width, 1, 5),
            ]
        )

    def forward(self, x):
        return th.cat([conv(x).amax(-1) for conv in self.convolutions], dim=1)
