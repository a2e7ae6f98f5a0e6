"""FeatureBranches, tested."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from digit_classifier.layers import FeatureBranches

from tests.module_contract import ModuleContract

SIZES = {"near": 3, "far": 5}


class TestFeatureBranches(ModuleContract):
    """FeatureBranches keeps the module contract."""

    parameter_shapes = {
        "branches.near.weight": (3, 2, 3, 3),
        "branches.near.bias": (3,),
        "branches.far.weight": (3, 2, 5, 5),
        "branches.far.bias": (3,),
        "project.weight": (4, 6, 1, 1),
        "project.bias": (4,),
    }

    def build(
        self,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> FeatureBranches:
        return FeatureBranches(
            2,
            4,
            kernel_sizes=SIZES,
            branch_channels=3,
            device=device,
            dtype=dtype,
        )

    def inputs(self, batch: int) -> tuple[Tensor]:
        return (torch.randn(batch, 2, 5, 6),)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 4, 5, 6)


def test_joins_the_branches_in_the_order_of_their_names() -> None:
    layer = FeatureBranches(2, 4, kernel_sizes=SIZES)
    x = torch.randn(3, 2, 5, 6)
    state = layer.state_dict()
    seen = [
        functional.conv2d(
            x,
            state[f"branches.{name}.weight"],
            state[f"branches.{name}.bias"],
            padding=size // 2,
        ).relu()
        for name, size in SIZES.items()
    ]
    joint = torch.cat(seen, dim=1)
    expected = functional.conv2d(joint, state["project.weight"], state["project.bias"])
    torch.testing.assert_close(layer(x), expected)


def test_a_wider_branch_sees_further() -> None:
    layer = FeatureBranches(1, 1, kernel_sizes=SIZES)
    x = torch.zeros(1, 1, 7, 7)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.fill_(1.0 if weight.ndim == 4 else 0.0)
    x[0, 0, 3, 3] = 1.0
    # Of a pixel, one place away both branches know; two places away, only the wider one.
    expected = torch.tensor([0.0, 1.0, 2.0, 2.0, 2.0, 1.0, 0.0])
    torch.testing.assert_close(layer(x)[0, 0, 3], expected)


@pytest.mark.parametrize("sizes", [{}, {"even": 2}])
def test_refuses_no_branch_and_even_kernels(sizes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="odd sizes"):
        FeatureBranches(2, 4, kernel_sizes=sizes)


def test_refuses_another_number_of_channels() -> None:
    layer = FeatureBranches(2, 4, kernel_sizes=SIZES)
    with pytest.raises(ValueError, match=r"\(N, 2, H, W\), got \(1, 3, 5, 5\)"):
        layer(torch.randn(1, 3, 5, 5))
