"""ConvBlock, tested."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from digit_classifier.layers import ConvBlock

from tests.module_contract import ModuleContract


class TestConvBlock(ModuleContract):
    """ConvBlock keeps the module contract."""

    parameter_shapes = {"conv.weight": (4, 2, 3, 3), "norm.weight": (4,), "norm.bias": (4,)}

    def build(
        self,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> ConvBlock:
        return ConvBlock(
            2,
            4,
            stride=2,
            num_groups=2,
            device=device,
            dtype=dtype,
        )

    def inputs(self, batch: int) -> tuple[Tensor]:
        return (torch.randn(batch, 2, 5, 6),)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 4, 3, 3)


def test_convolves_normalises_and_rectifies() -> None:
    layer = ConvBlock(2, 4, num_groups=2)
    x = torch.randn(3, 2, 5, 6)
    maps = functional.conv2d(x, layer.conv.weight, padding=1)
    groups = maps.view(3, 2, -1)
    centred = groups - groups.mean(dim=-1, keepdim=True)
    deviation = groups.var(dim=-1, correction=0, keepdim=True).add(1e-5).sqrt()
    torch.testing.assert_close(layer(x), (centred / deviation).view(maps.shape).relu())


def test_the_scale_of_the_input_does_not_matter() -> None:
    layer = ConvBlock(2, 4)
    x = torch.randn(3, 2, 5, 6)
    torch.testing.assert_close(layer(x * 100), layer(x), rtol=0.01, atol=0.01)


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_keeps_the_size_with_stride_one(kernel_size: int) -> None:
    layer = ConvBlock(2, 4, kernel_size=kernel_size)
    assert layer(torch.randn(1, 2, 7, 8)).shape == (1, 4, 7, 8)


def test_refuses_a_kernel_that_padding_cannot_centre() -> None:
    with pytest.raises(ValueError, match="kernel_size=2"):
        ConvBlock(2, 4, kernel_size=2)


def test_refuses_another_number_of_channels() -> None:
    layer = ConvBlock(2, 4)
    with pytest.raises(ValueError, match=r"\(N, 2, H, W\), got \(1, 3, 5, 5\)"):
        layer(torch.randn(1, 3, 5, 5))
