"""DigitClassifier, tested."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from digit_classifier.models import DigitClassifier

from tests.module_contract import ModuleContract


class TestDigitClassifier(ModuleContract):
    """DigitClassifier keeps the module contract."""

    parameter_count = 1_608

    def build(
        self,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> DigitClassifier:
        return DigitClassifier(
            channels=4,
            hidden_features=8,
            dropout=0.0,
            device=device,
            dtype=dtype,
        )

    def inputs(self, batch: int) -> tuple[Tensor]:
        return (torch.rand(batch, 1, 8, 8),)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 10)


def test_is_small_as_it_comes() -> None:
    assert sum(weight.numel() for weight in DigitClassifier().parameters()) == 90_732


def test_learns_ten_images_by_heart() -> None:
    torch.manual_seed(0)
    model = DigitClassifier(dropout=0.0)
    images, target = torch.rand(10, 1, 8, 8), torch.arange(10)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    for _ in range(20):
        optimizer.zero_grad()
        functional.cross_entropy(model(images), target).backward()
        optimizer.step()
    assert torch.equal(model(images).argmax(dim=-1), target)


def test_brightness_and_contrast_do_not_matter_in_training() -> None:
    model = DigitClassifier(dropout=0.0)
    images = torch.rand(10, 1, 8, 8)
    torch.testing.assert_close(model(images * 16 + 5), model(images), rtol=0.01, atol=0.01)


def test_evaluation_uses_the_statistics_of_training() -> None:
    model = DigitClassifier(dropout=0.0)
    images = torch.rand(10, 1, 8, 8) * 16 + 5
    trained = model(images)
    torch.testing.assert_close(model.eval()(images), trained)


def test_refuses_images_of_another_size() -> None:
    model = DigitClassifier()
    with pytest.raises(ValueError, match=r"\(N, 1, 8, 8\), got \(2, 1, 28, 28\)"):
        model(torch.rand(2, 1, 28, 28))
