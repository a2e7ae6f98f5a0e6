"""FeatureBranches: parallel branches under names."""

import typing
from collections import abc

import torch
from torch import Tensor, nn
from torch.nn import functional


class FeatureBranches(nn.Module):
    """See images at several scales at once: one convolution a branch, joined and projected.

    Computes ``project(concatenate(relu(branch(x)) for each branch))``, with a kernel of its own
    size in each branch. The order of the names is the order of the joined channels.

    Args:
        in_channels: channels of the input
        out_channels: channels of the output
        kernel_sizes: name of each branch and the side of its kernel; odd, to keep the size
        branch_channels: channels of each branch; ``out_channels`` when left out
        device: where parameters are made, as in ``torch.nn``
        dtype: type of the parameters, as in ``torch.nn``

    Shape:
        - Input: ``(N, in_channels, H, W)``.
        - Output: ``(N, out_channels, H, W)``.

    Attributes:
        branches: the convolutions by name; ``branches.near.weight`` in the state dict
        project: the 1x1 convolution from all branches to the output

    Examples:
        >>> sizes = {"near": 3, "far": 7}
        >>> layer = FeatureBranches(3, 16, kernel_sizes=sizes)
        >>> layer(torch.randn(2, 3, 8, 8)).shape
        torch.Size([2, 16, 8, 8])
        >>> list(layer.branches)
        ['near', 'far']

    Reference:
        Szegedy et al., "Going Deeper with Convolutions", 2015, section 4.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_sizes: abc.Mapping[str, int],
        branch_channels: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if not kernel_sizes or any(size % 2 == 0 for size in kernel_sizes.values()):
            raise ValueError(f"kernel_sizes={dict(kernel_sizes)} must name odd sizes, one at least")
        factory_kwargs: dict[str, typing.Any] = {"device": device, "dtype": dtype}
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_sizes = dict(kernel_sizes)
        self.branch_channels = out_channels if branch_channels is None else branch_channels
        # Conv2d fills itself: its bounds follow the inputs of a kernel, so that branches of any
        # size start equally loud.
        self.branches = nn.ModuleDict(
            {
                name: nn.Conv2d(
                    in_channels,
                    self.branch_channels,
                    size,
                    padding=size // 2,
                    **factory_kwargs,
                )
                for name, size in self.kernel_sizes.items()
            }
        )
        joint = len(self.branches) * self.branch_channels
        self.project = nn.Conv2d(joint, out_channels, 1, **factory_kwargs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the projected features of all branches."""
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(f"expected (N, {self.in_channels}, H, W), got {tuple(x.shape)}")
        seen = [functional.relu(branch(x)) for branch in self.branches.values()]
        projected: Tensor = self.project(torch.cat(seen, dim=1))
        return projected

    def extra_repr(self) -> str:
        """Show the constructor's arguments."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_sizes={self.kernel_sizes}, "
            f"branch_channels={self.branch_channels}"
        )
