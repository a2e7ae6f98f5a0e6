"""What a check runs in: settings that come back, a group of processes, worker processes."""

import datetime
import functools
import gc
import logging
import multiprocessing
import random
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any

import torch
from torch import distributed

from .findings import NotApplicable

# Parts of torch that it leaves without types.
_DETERMINISTIC: Any = torch.utils.deterministic
_DISTRIBUTED: Any = distributed
# How long a process waits for another one that takes no part.
PATIENCE = datetime.timedelta(seconds=15)
WORKERS = 2
# Seconds: to import torch and the tests on a busy machine, and to do one job.
STARTING, WORKING = 180.0, 120.0
# How a pipe fails whose other end has gone.
ENDED = (EOFError, ConnectionError)


@contextmanager
def isolated() -> Iterator[None]:
    """Run a check with fixed seeds and put every global setting of torch back afterwards."""
    # Asking an idle CUDA for its random state would start it, on every device.
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    # Torch writes its trace whatever level is set: only its logger as a whole can be turned off.
    trace = logging.getLogger("torch.__trace")
    with (
        ExitStack() as stack,
        torch.random.fork_rng(devices=devices),
        deterministic_mode_restored(),
        warnings.catch_warnings(),
    ):
        stack.callback(random.setstate, random.getstate())
        if numpy := sys.modules.get("numpy"):
            stack.callback(numpy.random.set_state, numpy.random.get_state())
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        stack.callback(torch.set_grad_enabled, torch.is_grad_enabled())
        stack.callback(logging.disable, logging.root.manager.disable)
        stack.callback(setattr, trace, "disabled", trace.disabled)
        seed_everything(0)
        torch.set_grad_enabled(True)
        # What torch's compilers and exporters log of their own work is not for a test's report.
        logging.disable(logging.WARNING)
        trace.disabled = True
        # Torch warns about its own experimental parts; under `-W error` that would fail a check.
        warnings.simplefilter("ignore")
        yield


def seed_everything(seed: int) -> None:
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def deterministic_mode_restored() -> Iterator[None]:
    """Put the deterministic mode back, its warning level and its filling of memory too."""
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = _DETERMINISTIC.fill_uninitialized_memory
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        _DETERMINISTIC.fill_uninitialized_memory = fill


@contextmanager
def uninitialised_memory_marked() -> Iterator[None]:
    """Fill what `torch.empty` returns with NaN, and integers with their maximum."""
    with deterministic_mode_restored():
        torch.use_deterministic_algorithms(True)
        _DETERMINISTIC.fill_uninitialized_memory = True
        yield


def require_gloo() -> None:
    if not distributed.is_available() or not distributed.is_gloo_available():
        raise NotApplicable("torch is built without torch.distributed over gloo")


@contextmanager
def process_group(address: str = "", *, rank: int = 0, size: int = 1) -> Iterator[None]:
    """Be in the group that meets at an address, or in one alone; leave no DDP wrapper behind."""
    require_gloo()
    if distributed.is_initialized():
        raise NotApplicable("a process group exists already")
    store = None if address else _DISTRIBUTED.HashStore()
    options: Any = {"rank": rank, "world_size": size, "timeout": PATIENCE}
    try:
        distributed.init_process_group("gloo", address or None, store=store, **options)
    except RuntimeError as error:
        raise NotApplicable(f"gloo does not start here: {error}") from None
    try:
        yield
        if size > 1:
            # Who leaves early takes away what the others may still be talking to.
            distributed.barrier()
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)
        raise
    finally:
        # Whoever lets go of the group last waits for gloo's threads, which need Python's lock to
        # let go of their last tensors. torch.distributed waits without that lock, a DDP wrapper
        # with it, for ever: it has to be gone by now, out of any cycle too.
        gc.collect()
        distributed.destroy_process_group()


class WorkerLost(Exception):
    """A process ended in the middle of its job, or was ended because it took too long."""


class Workers:
    """Processes that wait for jobs; none outlives the process that started them."""

    def __init__(self) -> None:
        # Not forked from here, for a fork cannot use the threads that torch has started: but, where
        # there is such a thing, from a server that has imported torch once for all.
        forks = "forkserver" in multiprocessing.get_all_start_methods()
        context: Any = multiprocessing.get_context("forkserver" if forks else "spawn")
        if forks:
            context.set_forkserver_preload([__name__])
        self.pipes: list[Connection] = []
        self.processes: list[multiprocessing.process.BaseProcess] = []
        for _ in range(WORKERS):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self.pipes.append(ours)
            self.processes.append(process)
        self.receive(STARTING)

    def run(self, job: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Call ``job(rank, *arguments)`` in each process at once; return the results."""
        for rank, pipe in enumerate(self.pipes):
            pipe.send((job, (rank, *arguments)))
        return self.receive(WORKING)

    def receive(self, seconds: float) -> list[Any]:
        """Wait for one message of each process; without one, end them all."""
        until = time.monotonic() + seconds
        results = []
        for rank, pipe in enumerate(self.pipes):
            failure = "does not answer"
            try:
                if pipe.poll(max(0.0, until - time.monotonic())):
                    results.append(pipe.recv())
                    continue
                self.stop()
            except ENDED:
                self.stop()
                failure = f"ends with code {self.processes[rank].exitcode}"
            raise WorkerLost(f"process {rank} of {WORKERS} {failure}")
        return results

    def stop(self) -> None:
        """End the processes, whatever they do."""
        for process, pipe in zip(self.processes, self.pipes, strict=True):
            process.kill()
            process.join()
            pipe.close()
        started.cache_clear()


@functools.cache
def started() -> Workers:
    """The processes of this run; leave the check where none can be started."""
    try:
        return Workers()
    except (OSError, WorkerLost) as error:
        raise NotApplicable(f"no other processes start here: {error}") from None


def serve(pipe: Connection) -> None:
    """Do jobs until the other end of the pipe is closed."""
    # Ctrl-C is for the process that started this one, whose end ends this one too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    pipe.send("ready")
    while True:
        try:
            job, arguments = pipe.recv()
        except ENDED:
            return
        pipe.send(job(*arguments))
