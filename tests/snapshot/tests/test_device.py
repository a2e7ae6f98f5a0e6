"""The choice of the device."""

import pytest
import torch

from digit_classifier.device import choose_device
from digit_classifier.errors import InputError


def test_auto_takes_an_accelerator_where_there_is_one() -> None:
    device = choose_device("auto")

    if torch.cuda.is_available():
        assert device.type == "cuda"
    elif torch.backends.mps.is_available():
        assert device.type == "mps"
    else:
        assert device.type == "cpu"
    assert torch.ones(2, device=device).sum() == 2


def test_a_named_device_goes_before_the_choice() -> None:
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["toaster", "cuda:99", "cuda:x", ""])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="auto always works"):
        choose_device(name)
