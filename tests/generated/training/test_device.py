"""The choice of the device, and a process without torchrun."""

from __future__ import annotations

import pytest
import torch
from digits.command import InputError
from digits.distributed import processes as module
from digits.distributed.processes import SINGLE, Processes, _report_once, launched_processes
from digits.training.device import choose_device
from torch.distributed import distributed_c10d


def test_auto_takes_an_accelerator_where_there_is_one() -> None:
    device = choose_device("auto")

    if torch.cuda.is_available():
        assert device.type == "cuda"
    elif torch.backends.mps.is_available():
        assert device.type == "mps"
    else:
        assert device.type == "cpu"
    assert torch.ones(2, device=device).sum() == 2
    assert choose_device("cpu") == torch.device("cpu")


def test_processes_do_not_share_a_gpu() -> None:
    with pytest.raises(InputError, match="cannot share device 'cuda:1': take auto, cuda or cpu"):
        choose_device("cuda:1", Processes(rank=1, world_size=2))


@pytest.mark.parametrize("name", ["auto", "cuda", "cuda:0"])
def test_a_gpu_has_a_number_as_set_device_demands(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    current: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setattr(torch, "zeros", lambda *_, device: torch.ones(1))

    assert choose_device(name) == torch.device("cuda", 0)
    assert current == [torch.device("cuda", 0)]


@pytest.mark.parametrize("name", ["toaster", "cuda:x", "", "cuda:99", "fpga", "meta"])
def test_a_device_that_cannot_be_used_is_refused_in_short(name: str) -> None:
    with pytest.raises(InputError, match="use --device auto") as caught:
        choose_device(name)

    assert len(str(caught.value)) < 160


def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in module.LAUNCHER_VARIABLES:
        monkeypatch.delenv(name, raising=False)

    with launched_processes() as processes:
        assert processes == SINGLE
        assert not torch.distributed.is_initialized()
        assert processes.gather(3) == [3]
        assert processes.all_reduce_max(3) == 3
        assert processes.run_on_main(lambda: 3) == 3
        assert processes.run_on_all(lambda: 3) == 3


@pytest.mark.parametrize(
    ("answer", "reported"),
    [
        (None, ""),
        (torch.distributed.DistNetworkError("broken pipe"), ""),
        (torch.distributed.DistStoreError("wait timeout"), "error: there is no file.\n"),
    ],
)
def test_another_rank_reports_what_rank_zero_does_not_know(
    answer: Exception | None,
    reported: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Store:
        """Rank zero has reported it, has reported it and ended, or says nothing."""

        def wait(self, *_: object) -> None:
            if answer:
                raise answer

    monkeypatch.setattr(distributed_c10d, "_get_default_store", Store)

    _report_once(InputError("there is no file."), Processes(rank=1, world_size=2))

    assert capfd.readouterr().err == reported
