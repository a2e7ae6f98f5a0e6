"""The program of a model, which most exports start from: torch.export's, whose batch size is free.

It raises where a value or the size of the batch decides what is computed. Other tracers take the
example's way for the only one, and stay silent: what they make is exported only after this.
"""

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from .noise import quiet

BATCH = "batch"
"""The name of the first dimension of inputs and outputs."""


def program_of(model: nn.Module, example: Tensor) -> ExportedProgram:
    """Return the program of a model.

    Args:
        model: in evaluation mode, on the CPU
        example: a batch of at least two inputs
    """
    with quiet():
        return torch.export.export(model, (example,), dynamic_shapes=({0: Dim(BATCH)},))
