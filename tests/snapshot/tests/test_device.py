"""The choice of the device."""

import pytest
import torch

from digit_classifier.device import choose_device
from digit_classifier.distributed import Processes
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


def test_processes_do_not_share_a_gpu() -> None:
    with pytest.raises(InputError, match="cannot share device 'cuda:1': take auto, cuda or cpu"):
        choose_device("cuda:1", Processes(rank=1, world_size=2))


@pytest.mark.parametrize("name", ["toaster", "cuda:x", ""])
def test_a_device_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        choose_device(name)

    assert str(caught.value) == f"There is no device {name!r}; auto always works."


@pytest.mark.parametrize("name", ["cuda:99", "fpga", "meta"])
def test_a_device_that_cannot_be_used_is_refused_in_short(name: str) -> None:
    with pytest.raises(InputError, match="auto always works") as caught:
        choose_device(name)

    assert len(str(caught.value)) < 160
