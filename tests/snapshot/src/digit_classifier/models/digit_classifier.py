"""DigitClassifier: a small convolutional classifier of handwritten digits."""

import typing

import torch
from torch import Tensor, nn

from digit_classifier.layers import (
    ConvBlock,
    FeatureBranches,
    FeatureStack,
    InputNorm,
)


class DigitClassifier(nn.Module):
    """Classify one-channel images of 8x8 pixels as one of ten digits.

    Normalises the pixels, finds strokes, sees them at three scales, halves the size, and
    decides from all places at once.

    Args:
        channels: width of the convolutions; the features after them are sixteen times as many
        hidden_features: width of the decision
        dropout: probability of dropping a feature in training
        device: where parameters are made, as in ``torch.nn``
        dtype: type of the parameters, as in ``torch.nn``

    Shape:
        - Input: ``(N, 1, 8, 8)``.
        - Output: ``(N, 10)``, the logits of the digits 0 to 9.

    Attributes:
        input_norm: normalises the pixels with the statistics of the training images
        strokes, scales, parts: convolutions, at 8x8, 8x8 and 4x4 pixels
        decide: from the features of all places to those of the decision
        stack: layers that refine them
        head: linear map to the logits

    Examples:
        >>> model = DigitClassifier().eval()
        >>> model(torch.rand(2, 1, 8, 8)).shape
        torch.Size([2, 10])

    Reference:
        LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998.
    """

    def __init__(
        self,
        *,
        channels: int = 32,
        hidden_features: int = 64,
        dropout: float = 0.1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        factory_kwargs: dict[str, typing.Any] = {"device": device, "dtype": dtype}
        self.channels = channels
        self.hidden_features = hidden_features
        self.dropout = dropout
        self.input_norm = InputNorm(1, **factory_kwargs)
        self.strokes = ConvBlock(1, channels, **factory_kwargs)
        self.scales = FeatureBranches(
            channels,
            channels,
            kernel_sizes={"point": 1, "near": 3, "far": 5},
            **factory_kwargs,
        )
        self.parts = ConvBlock(channels, channels, stride=2, **factory_kwargs)
        # 16: the places of a 4x4 image.
        self.decide = nn.Linear(16 * channels, hidden_features, **factory_kwargs)
        self.stack = FeatureStack(hidden_features, depth=2, dropout=dropout, **factory_kwargs)
        self.head = nn.Linear(hidden_features, 10, **factory_kwargs)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of a batch of images."""
        if images.ndim != 4 or images.shape[1:] != (1, 8, 8):
            raise ValueError(f"expected (N, 1, 8, 8), got {tuple(images.shape)}")
        maps = self.strokes(self.input_norm(images))
        maps = self.parts(self.scales(maps))
        logits: Tensor = self.head(self.stack(self.decide(maps.flatten(1))))
        return logits

    def extra_repr(self) -> str:
        """Show the constructor's arguments."""
        return (
            f"channels={self.channels}, hidden_features={self.hidden_features}, "
            f"dropout={self.dropout}"
        )
