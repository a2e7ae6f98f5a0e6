"""FeatureStack: a stack of equal layers."""

import math
import typing

import torch
from torch import Tensor, nn


class FeatureStack(nn.Module):
    """Pass features through equal layers, each of which adds to what it gets.

    Each layer computes ``x + gelu(linear(layer_norm(x))) / sqrt(depth)``. The skip connection lets
    gradients pass at any depth, and the factor keeps the size of the sum the same at any depth.

    Args:
        features: size of the last dimension of input and output
        depth: number of layers
        dropout: probability of dropping a feature of what a layer adds, in training
        device: where parameters are made, as in ``torch.nn``
        dtype: type of the parameters, as in ``torch.nn``

    Shape:
        - Input: ``(*, features)``, where ``*`` is any number of dimensions.
        - Output: ``(*, features)``.

    Attributes:
        layers: the layers, in order; ``layers[0]`` sees the input

    Examples:
        >>> layer = FeatureStack(32, depth=3)
        >>> layer(torch.randn(2, 32)).shape
        torch.Size([2, 32])
        >>> len(layer.layers)
        3

    Reference:
        Hayou et al., "Stable ResNet", 2021, section 3, for the factor ``1 / sqrt(depth)``.
    """

    def __init__(
        self,
        features: int,
        *,
        depth: int,
        dropout: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if depth < 1:
            raise ValueError(f"depth={depth} leaves no layer")
        factory_kwargs: dict[str, typing.Any] = {"device": device, "dtype": dtype}
        self.features = features
        self.depth = depth
        self.dropout = dropout
        # Built anew in each round: `[layer] * depth` would be one layer, with shared weights. The
        # parts fill themselves; the normalisation before each map makes their usual start serve.
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(features, **factory_kwargs),
                nn.Linear(features, features, **factory_kwargs),
                nn.GELU(),
                nn.Dropout(dropout),
            )
            for _ in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the input plus what every layer added."""
        if x.ndim < 1 or x.shape[-1] != self.features:
            raise ValueError(f"expected (*, {self.features}), got {tuple(x.shape)}")
        for layer in self.layers:
            x = x + layer(x) / math.sqrt(self.depth)
        return x

    def extra_repr(self) -> str:
        """Show the constructor's arguments."""
        return f"{self.features}, depth={self.depth}, dropout={self.dropout}"
