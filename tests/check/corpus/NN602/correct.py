import torch
from torch import nn


class Google(nn.Module):
    """Multiplies its input by a factor.

    Args:
        factor: What every element is multiplied by.

    Shape:
        - Input: :math:`(*)`, any shape.
        - Output: the same shape as the input.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


class NoArguments(nn.Module):
    """Doubles its input.

    Shape:
        - Input: :math:`(*)`, any shape.
        - Output: the same shape as the input.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x


class Numpy(nn.Module):
    """A linear map.

    Parameters
    ----------
    width : int
        Size of the last dimension.

    Shape
    -----
    Input ``(batch, width)``, output ``(batch, width)``.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


class Sphinx(nn.Module):
    """A linear map from shape ``(batch, width)`` to shape ``(batch, width)``.

    :param width: Size of the last dimension.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


class InMethods(nn.Module):
    """A linear map."""

    def __init__(self, width: int) -> None:
        """Make the map.

        Args:
            width: Size of the last dimension.
        """
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``x``.

        Args:
            x: Shape (batch, width).

        Returns:
            Shape (batch, width).
        """
        return self.linear(x)


class _Private(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x


class Plain:
    def forward(self, x: float) -> float:
        return 2 * x
