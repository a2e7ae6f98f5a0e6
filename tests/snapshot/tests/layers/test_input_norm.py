"""InputNorm, tested."""

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from digit_classifier.layers import InputNorm

from tests.module_contract import ModuleContract


class TestInputNorm(ModuleContract):
    """InputNorm keeps the module contract."""

    parameter_shapes = {"weight": (3,), "bias": (3,)}

    def build(
        self,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> InputNorm:
        return InputNorm(3, device=device, dtype=dtype)

    def inputs(self, batch: int) -> tuple[Tensor]:
        return (torch.randn(batch, 3, 4, 5),)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 3, 4, 5)


def test_normalises_a_batch_by_its_own_statistics_in_training() -> None:
    layer = InputNorm(2, eps=0.0)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 10.0]))
        layer.bias.copy_(torch.tensor([0.0, 5.0]))
    # Means 2 and 6, standard deviations 1 and 2.
    x = torch.tensor([[1.0, 4.0], [3.0, 8.0]])
    torch.testing.assert_close(layer(x), torch.tensor([[-1.0, -5.0], [1.0, 15.0]]))


def test_normalises_by_the_running_statistics_in_evaluation() -> None:
    layer = InputNorm(2, eps=0.0).eval()
    layer.running_mean.copy_(torch.tensor([1.0, -1.0]))
    layer.running_var.copy_(torch.tensor([4.0, 0.25]))
    torch.testing.assert_close(layer(torch.ones(1, 2)), torch.tensor([[0.0, 4.0]]))


def test_running_statistics_are_an_average_first_and_exponential_later() -> None:
    layer = InputNorm(1, momentum=0.4)
    seen = []
    for mean in (8.0, 4.0, 6.0):
        layer(torch.tensor([[mean - 1.0], [mean + 1.0]]))
        seen.append(float(layer.running_mean))
    # Shares of the newest batch: 1, 1/2, then 0.4, which is more than 1/3.
    assert seen == pytest.approx([8.0, 6.0, 6.0])
    assert float(layer.running_var) == pytest.approx(1.0)
    layer(torch.zeros(2, 1))
    assert float(layer.running_mean) == pytest.approx(3.6)
    assert float(layer.running_var) == pytest.approx(0.6)


def test_counts_steps_in_training_only() -> None:
    layer = InputNorm(3)
    layer(torch.randn(2, 3))
    layer(torch.randn(0, 3))
    layer.eval()(torch.randn(2, 3))
    assert int(layer.step_count) == 1


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_a_recomputed_batch_counts_once(use_reentrant: bool) -> None:
    plain = InputNorm(3)
    recomputed = InputNorm(3)
    x = torch.randn(4, 3, requires_grad=True)
    plain(x).sum().backward()
    checkpoint(recomputed, x, use_reentrant=use_reentrant).sum().backward()
    assert recomputed.state_dict().keys() == plain.state_dict().keys()
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(recomputed.state_dict()[name], value)


def test_channels_may_come_last() -> None:
    first = InputNorm(3)
    last = InputNorm(3, channel_dim=-1)
    x = torch.randn(2, 3, 5)
    torch.testing.assert_close(last(x.transpose(1, 2)).transpose(1, 2), first(x))
    torch.testing.assert_close(last.running_var, first.running_var)


def test_refuses_another_number_of_channels() -> None:
    layer = InputNorm(3)
    with pytest.raises(ValueError, match=r"size 3 at dimension 1, got \(3, 2\)"):
        layer(torch.randn(3, 2))
