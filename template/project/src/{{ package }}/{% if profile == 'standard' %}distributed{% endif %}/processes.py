"""The processes of a run: one, or as many as torchrun started."""

import contextlib
import ctypes
import dataclasses
import datetime
import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, distributed
from torch.distributed import distributed_c10d

from ..command import (
    InputError,
    Reported,
    error_text,
    exit_status,
    iter_causes,
    report_error,
    stop_status,
)

Result = TypeVar("Result")

# What torchrun sets for each of its workers.
LAUNCHER_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# Failures that a user can understand and fix; any other is a fault of the program.
Expected = InputError | OSError
MESSAGE_BYTES = 2**28
# How long the others leave rank zero to print what is wrong.
REPORTING = datetime.timedelta(seconds=5)


@dataclasses.dataclass(frozen=True)
class Processes:
    """This process's rank among those of the run; by default it is the only one."""

    rank: int = 0
    """From 0; rank zero alone prints and writes."""
    local_rank: int = 0
    """The rank among the processes of this machine, which is also the number of its GPU."""
    world_size: int = 1
    grouped: bool = False
    """Whether torchrun started them, so that there is a process group."""

    @property
    def is_main(self) -> bool:
        """Whether this is the process that prints and writes."""
        return self.rank == 0

    def gather(self, value: Result) -> list[Result]:
        """Return everybody's value, by rank."""
        if self.world_size == 1:
            return [value]
        values: list[Any] = [None] * self.world_size
        distributed.all_gather_object(values, value)
        return values

    def all_reduce_max(self, number: int) -> int:
        """Return the largest of everybody's integers; fast enough for every step."""
        if self.world_size == 1:
            return number
        # On the CPU, so that no work of a GPU is waited for.
        largest = torch.tensor(number)
        distributed.all_reduce(largest, distributed.ReduceOp.MAX)
        return int(largest)

    def run_on_main(self, function: Callable[[], Result]) -> Result:
        """Let rank zero do it; everybody gets its result, or fails if it did."""
        result = self.run_on_all(lambda: function() if self.is_main else None)
        return cast(Result, self.gather(result)[0])

    def run_on_all(self, function: Callable[[], Result]) -> Result:
        """Do it everywhere; if it fails anywhere, all fail, with the error of the lowest rank."""
        if self.world_size == 1:
            return function()
        result, failure = None, None
        try:
            result = function()
        except (InputError, OSError) as error:
            failure = error
        for rank, found in enumerate(self.gather(failure)):
            if found is not None and rank > 0:
                kind = InputError if exit_status(found) == 2 else OSError
                raise kind(f"rank {rank}: {error_text(found)}")
            if found is not None:
                raise found
        return cast(Result, result)

    def broadcast(self, tensors: list[Tensor]) -> None:
        """Give everybody rank zero's values, in place: in few messages, as DDP does."""
        # Torch's own affair, and only wanted by several processes.
        from torch.distributed.utils import _sync_params_and_buffers

        own = [tensor.detach() for tensor in tensors]
        _sync_params_and_buffers(distributed_c10d._get_default_group(), own, MESSAGE_BYTES, src=0)


SINGLE = Processes()
"""The only process of a run that torchrun did not start."""


@contextlib.contextmanager
def launched_processes() -> Iterator[Processes]:
    """Join the processes that torchrun started; without torchrun, be the only one.

    The block itself must hold no trainer: call a function that does.
    """
    if not all(name in os.environ for name in LAUNCHER_VARIABLES):
        yield SINGLE
        return
    processes = Processes(
        rank=int(os.environ["RANK"]),
        local_rank=int(os.environ["LOCAL_RANK"]),
        world_size=int(os.environ["WORLD_SIZE"]),
        grouped=True,
    )
    _end_with_torchrun()
    # gloo carries what is on the CPU, where ranks agree and metrics are gathered; NCCL the rest.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend)
    try:
        yield processes
        # Who leaves early takes away what the others may still be talking to.
        distributed.barrier()
    except BaseException as error:
        # What the functions that it has ended were holding goes; their lines stay.
        for each in iter_causes(error):
            traceback.clear_frames(each.__traceback__)
        if isinstance(error, Expected):
            _report_once(error, processes)
            raise Reported(exit_status(error)) from error
        if not stop_status(error) and lost_contact(error):
            report_error("another process of this run has ended.")
            raise Reported(1) from error
        raise
    finally:
        # Whoever lets go of the group last waits for gloo's threads, which need Python's lock to
        # let go of their last tensors. torch.distributed waits without that lock, a DDP wrapper
        # with it, for ever: it has to be gone by now, out of any cycle too.
        gc.collect()
        distributed.destroy_process_group()


def lost_contact(error: BaseException) -> bool:
    """Return whether an error is that another process ended, which torch reports in many ways."""
    return isinstance(error, distributed.DistError) or "gloo" in str(error).lower()


def restart_count() -> int:
    """Return how often torchrun has restarted its workers after one of them failed."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def launch_name() -> str:
    """Name the torchrun that started this process; its restarts keep the name."""
    run = os.environ.get("TORCHELASTIC_RUN_ID", "")
    # The run's id alone may be that of every torchrun on the machine.
    return f"{run}/{socket.gethostname()}/{os.getppid()}"


def _end_with_torchrun() -> None:
    """Ask Linux for a SIGTERM when torchrun dies: its own death by kill -9 it cannot pass on."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def _report_once(error: Expected, processes: Processes) -> None:
    """Let rank zero print what is wrong before anybody ends.

    torchrun ends all processes as soon as one has, even in the middle of a sentence.
    """
    store = distributed_c10d._get_default_store()
    if processes.is_main:
        report_error(error_text(error))
        store.set("reported", "")
        return
    try:
        store.wait(["reported"], REPORTING)
    except RuntimeError as answer:
        # A store that is gone went with rank zero, which had printed it. Else it is nothing that
        # rank zero knows of.
        if not isinstance(answer, distributed.DistNetworkError):
            report_error(error_text(error))
