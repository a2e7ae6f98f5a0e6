"""Two processes beside this one, started when a check first needs them and kept for the others."""

import functools
import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import torch

from .findings import NotApplicable

COUNT = 2
# Seconds: to import torch and the tests on a busy machine, and to do one job.
STARTING, WORKING = 180.0, 120.0
# How a pipe fails whose other end has gone.
ENDED = (EOFError, ConnectionError)


class WorkerLost(Exception):
    """A process ended in the middle of its job, or was ended because it took too long."""


class Workers:
    """Processes that wait for jobs; none outlives the process that started them."""

    def __init__(self) -> None:
        """Start them, and wait until they are ready."""
        # Spawned: a forked process cannot use the threads that torch has started here.
        context = multiprocessing.get_context("spawn")
        self.pipes: list[Connection] = []
        self.processes: list[multiprocessing.process.BaseProcess] = []
        for _ in range(COUNT):
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
            try:
                if not pipe.poll(max(0.0, until - time.monotonic())):
                    raise WorkerLost(f"process {rank} of {COUNT} gives no answer")
                results.append(pipe.recv())
            except ENDED:
                self.stop()
                code = self.processes[rank].exitcode
                raise WorkerLost(f"process {rank} of {COUNT} ends with code {code}") from None
            except WorkerLost:
                self.stop()
                raise
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
