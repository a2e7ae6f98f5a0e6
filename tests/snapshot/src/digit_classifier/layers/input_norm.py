"""InputNorm: a normalisation with running statistics."""

import typing

import torch
from torch import Tensor, distributed, nn
from torch.utils import module_tracker


class InputNorm(nn.Module):
    """Normalise each channel over all other dimensions, the batch included.

    Computes ``(x - mean) / sqrt(var + eps) * weight + bias`` with the batch's own statistics in
    training and the running ones in evaluation. The running statistics of the first batches are
    their plain average and become an exponential one when ``1 / step_count`` falls below
    ``momentum``, so that they are of use from the first step on.

    Under ``torch.distributed`` each process normalises by its own share of the batch, as
    ``nn.BatchNorm2d`` does, but the running statistics are those of the whole batch, the same in
    all processes. For that the processes wait for each other once a call: in training, all of them
    must call the layer equally often, those with an empty share too.

    Args:
        num_channels: size of the channel dimension
        channel_dim: the dimension that keeps its own statistics: 1 for images, -1 for features
        eps: added to the variance, so that a constant channel gives no division by zero
        momentum: share of the newest batch in the running statistics
        device: where parameters and buffers are made, as in ``torch.nn``
        dtype: type of the parameters and the running statistics, as in ``torch.nn``

    Shape:
        - Input: ``(N, *)``, two dimensions or more, with size ``num_channels`` at ``channel_dim``.
        - Output: the input's shape.

    Attributes:
        weight: ``(num_channels,)``, starts at one
        bias: ``(num_channels,)``, starts at zero
        running_mean: buffer ``(num_channels,)``, starts at zero
        running_var: buffer ``(num_channels,)``, the biased variance, starts at one
        step_count: buffer ``()``, batches seen in training; empty ones do not count, and the shares
            of several processes are one

    Examples:
        >>> layer = InputNorm(3)
        >>> layer(torch.randn(2, 3, 8, 8)).shape
        torch.Size([2, 3, 8, 8])

    Reference:
        Ioffe and Szegedy, "Batch Normalization", 2015, algorithm 1.
    """

    running_mean: Tensor
    running_var: Tensor
    step_count: Tensor

    def __init__(
        self,
        num_channels: int,
        *,
        channel_dim: int = 1,
        eps: float = 1e-5,
        momentum: float = 0.1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        factory_kwargs: dict[str, typing.Any] = {"device": device, "dtype": dtype}
        self.num_channels = num_channels
        self.channel_dim = channel_dim
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.empty(num_channels, **factory_kwargs))
        self.bias = nn.Parameter(torch.empty(num_channels, **factory_kwargs))
        self.register_buffer("running_mean", torch.empty(num_channels, **factory_kwargs))
        self.register_buffer("running_var", torch.empty(num_channels, **factory_kwargs))
        self.register_buffer("step_count", torch.empty((), dtype=torch.int64, device=device))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Fill parameters and buffers so that evaluation starts as the identity, up to eps."""
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)
        nn.init.zeros_(self.running_mean)
        nn.init.ones_(self.running_var)
        nn.init.zeros_(self.step_count)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised input."""
        if x.ndim < 2 or x.shape[self.channel_dim] != self.num_channels:
            raise ValueError(
                f"expected two dimensions or more, of size {self.num_channels} at dimension "
                f"{self.channel_dim}, got {tuple(x.shape)}"
            )
        shape = [1] * x.ndim
        shape[self.channel_dim] = self.num_channels
        # Half-precision sums lose too much: statistics are taken in float32 or better.
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        mean, var = self.running_mean.to(wide.dtype), self.running_var.to(wide.dtype)
        if self.training:
            if x.numel() > 0:
                others = [dim for dim in range(x.ndim) if dim != self.channel_dim % x.ndim]
                var, mean = torch.var_mean(wide, dim=others, correction=0)
            self._track(mean, var, x.numel() // self.num_channels)
        inverse = torch.rsqrt(var + self.eps)
        centred = wide - mean.view(shape)
        y = centred * (inverse * self.weight).view(shape) + self.bias.view(shape)
        return y.to(x.dtype)

    def extra_repr(self) -> str:
        """Show the constructor's arguments."""
        return (
            f"{self.num_channels}, channel_dim={self.channel_dim}, eps={self.eps}, "
            f"momentum={self.momentum}"
        )

    @torch.no_grad()
    def _track(self, mean: Tensor, var: Tensor, count: int) -> None:
        """Move the running statistics towards those of this batch, of ``count`` values each."""
        # Activation checkpointing runs forward a second time, inside backward: that is the same
        # batch again and must not count twice. A compiled graph runs its updates once anyway.
        if not torch.compiler.is_compiling() and module_tracker.ModuleTracker().is_bw:
            return
        total = mean.new_full((1,), count)
        if distributed.is_available() and distributed.is_initialized():
            # A row for each process, filled by that process alone: their sum gathers them.
            shares = mean.new_zeros(distributed.get_world_size(), 1 + 2 * self.num_channels)
            shares[distributed.get_rank()] = torch.cat((total, mean, var))
            distributed.all_reduce(shares)
            counts, means, variances = shares.split((1, self.num_channels, self.num_channels), 1)
            total = counts.sum(dim=0)
            weights = counts / total.clamp(min=1)
            mean = (weights * means).sum(dim=0)
            # The law of total variance; squares of the values would cancel where the mean is large.
            var = (weights * (variances + (means - mean).square())).sum(dim=0)
        # Zero where the batch is empty, decided on the device: the host must not wait for it.
        seen = total.sign().squeeze(0)
        self.step_count.add_(seen.to(self.step_count.dtype))
        newest = seen * (1 / self.step_count.clamp(min=1)).clamp(min=self.momentum)
        newest = newest.to(self.running_mean.dtype)
        self.running_mean.lerp_(mean.to(newest.dtype), newest)
        self.running_var.lerp_(var.to(newest.dtype), newest)
