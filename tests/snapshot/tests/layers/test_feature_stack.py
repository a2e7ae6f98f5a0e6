"""FeatureStack, tested."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from digit_classifier.layers import FeatureStack

from tests.module_contract import ModuleContract


class TestFeatureStack(ModuleContract):
    """FeatureStack keeps the module contract."""

    parameter_count = 3 * (4 * 4 + 4 + 2 * 4)

    def build(
        self,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> FeatureStack:
        return FeatureStack(4, depth=3, device=device, dtype=dtype)

    def inputs(self, batch: int) -> tuple[Tensor]:
        return (torch.randn(batch, 4),)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 4)


def test_adds_what_each_layer_computes_in_order() -> None:
    layer = FeatureStack(4, depth=2)
    x = torch.randn(3, 4)
    expected = x
    for index in range(2):
        weight, bias = (layer.get_parameter(f"layers.{index}.1.{n}") for n in ("weight", "bias"))
        normalised = functional.layer_norm(expected, (4,))
        added = functional.gelu(normalised @ weight.T + bias)
        expected = expected + added / math.sqrt(2)
    torch.testing.assert_close(layer(x), expected)


def test_layers_share_no_weights() -> None:
    layer = FeatureStack(4, depth=2)
    with torch.no_grad():
        layer.get_parameter("layers.0.1.weight").fill_(7.0)
    assert not (layer.get_parameter("layers.1.1.weight") == 7.0).any()


def test_the_size_of_the_sum_does_not_grow_with_depth() -> None:
    x = torch.randn(100, 64)
    shallow = FeatureStack(64, depth=2)
    deep = FeatureStack(64, depth=50)
    ratio = deep(x).std() / shallow(x).std()
    assert 0.8 < ratio.item() < 1.25


def test_dropout_is_for_training_alone() -> None:
    layer = FeatureStack(4, depth=2, dropout=0.5)
    x = torch.randn(8, 4)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), layer(x))


def test_refuses_to_be_empty() -> None:
    with pytest.raises(ValueError, match="depth=0"):
        FeatureStack(4, depth=0)


def test_refuses_another_number_of_features() -> None:
    layer = FeatureStack(4, depth=1)
    with pytest.raises(ValueError, match=r"\(\*, 4\), got \(2, 3\)"):
        layer(torch.randn(2, 3))
