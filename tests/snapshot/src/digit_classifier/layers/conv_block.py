"""ConvBlock: a convolution block with a normalisation."""

import typing

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvBlock(nn.Module):
    """Convolve images, normalise each one over groups of its channels, and rectify.

    Computes ``relu(group_norm(conv(x)))``. The statistics are those of each single image, so the
    result does not depend on its batch and is the same in training and evaluation.

    Args:
        in_channels: channels of the input
        out_channels: channels of the output
        kernel_size: side of the square kernel; odd, so that padding keeps the size
        stride: step of the kernel; 2 halves height and width
        num_groups: groups of channels that share their statistics; divides ``out_channels``
        device: where parameters are made, as in ``torch.nn``
        dtype: type of the parameters, as in ``torch.nn``

    Shape:
        - Input: ``(N, in_channels, H, W)``.
        - Output: ``(N, out_channels, ceil(H / stride), ceil(W / stride))``.

    Attributes:
        conv: the convolution, without a bias: the norm's shift for each channel takes its place
        norm: the normalisation, with a learnable scale and shift for each channel

    Examples:
        >>> layer = ConvBlock(3, 16, stride=2)
        >>> layer(torch.randn(2, 3, 32, 32)).shape
        torch.Size([2, 16, 16, 16])

    Reference:
        Wu and He, "Group Normalization", 2018.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_size: int = 3,
        stride: int = 1,
        num_groups: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={kernel_size} is even: padding could not keep the size")
        factory_kwargs: dict[str, typing.Any] = {"device": device, "dtype": dtype}
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.num_groups = num_groups
        # Both fill themselves: the normalisation makes the scale of the kernel irrelevant, so the
        # usual start of Conv2d serves any depth.
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            bias=False,
            **factory_kwargs,
        )
        self.norm = nn.GroupNorm(num_groups, out_channels, **factory_kwargs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the feature maps."""
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(f"expected (N, {self.in_channels}, H, W), got {tuple(x.shape)}")
        return functional.relu(self.norm(self.conv(x)))

    def extra_repr(self) -> str:
        """Show the constructor's arguments."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, num_groups={self.num_groups}"
        )
