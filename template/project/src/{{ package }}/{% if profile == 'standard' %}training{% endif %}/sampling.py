"""Which samples each process takes in each step, and how they are read."""

import atexit
import io
import math
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch.utils.data import DataLoader, Dataset, Sampler, Subset

from ..command import InputError
from ..distributed.processes import Processes
from ..interface import Batch, Samples, Splits
from ..task.data import splits
from .config import TrainConfig
from .random_state import derived_seed, seeded
from .settings import suitable_settings_expected

Collate = Callable[[list[Any]], Batch]


def load_splits(config: TrainConfig) -> Splits:
    """Return the task's samples, or say in one sentence why there are none."""
    with suitable_settings_expected("task/data.py"):
        loaded = splits(config.data)
    for name in ("train", "validation", "test"):
        if not len(getattr(loaded, name)):
            raise InputError(f"task/data.py: with these settings there are no samples for {name}.")
    return loaded


class ShardedBatches(Sampler[list[tuple[int, int]]]):
    """Yield one process's shard of each step's samples, a micro-batch at a time.

    An epoch's order depends on nothing but the seed and the epoch: any number of processes and
    micro-steps takes, together, the same samples in the same step, and a run that is resumed knows
    its place without having read what came before it. What is left at an epoch's end is less than
    a batch and waits for another epoch.

    Args:
        samples: how many there are to train on
        config: settings of the run: sizes, seed, and a limit on the steps of an epoch
        rank: whose shard to give
        world_size: how many processes there are
    """

    def __init__(self, samples: int, config: TrainConfig, rank: int, world_size: int) -> None:
        batch_size, micro_steps = config.batch_size, config.grad_accum_steps
        if batch_size % (world_size * micro_steps) != 0:
            raise InputError(
                f"batch_size must be divisible by the processes times grad_accum_steps, "
                f"{world_size} times {micro_steps}; it is {batch_size}."
            )
        if batch_size > samples:
            raise InputError(
                f"batch_size must be at most {samples}, the number of training samples; it is "
                f"{batch_size}."
            )
        self.samples = samples
        self.config = config
        self.rank = rank
        self.world_size = world_size
        self._epoch = 0
        self._first_step = 0

    @property
    def steps(self) -> int:
        """Steps of the optimizer in a whole epoch."""
        steps = self.samples // self.config.batch_size
        return min(steps, self.config.limit_batches or steps)

    def start(self, epoch: int, step: int = 0) -> None:
        """Take this epoch next, from its step of this number on."""
        self._epoch = epoch
        self._first_step = step

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """Yield epoch and index of the samples of one micro-batch after the other."""
        seed = derived_seed("order", self.config.seed, self._epoch)
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(self.samples, generator=generator)
        micro_batches = order[: self.steps * self.config.batch_size].view(
            self.steps, self.config.grad_accum_steps, self.world_size, -1
        )
        for step in range(self._first_step, self.steps):
            for shard in micro_batches[step, :, self.rank]:
                yield [(self._epoch, index) for index in shard.tolist()]

    def __len__(self) -> int:
        """Return how many micro-batches are to come."""
        return (self.steps - self._first_step) * self.config.grad_accum_steps


class CopiedDataset(Dataset[Any]):
    """A dataset that is copied to each worker.

    Otherwise each of its tensors would become a file in shared memory, of which there may be no
    more than a thousand, and containers have little memory to share.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self.dataset)

    def __getitem__(self, key: Any) -> Any:
        """Return a sample."""
        return self.dataset[key]

    def __getstate__(self) -> bytes:
        """Return the dataset as bytes."""
        file = io.BytesIO()
        torch.save(self.dataset, file)
        return file.getvalue()

    def __setstate__(self, state: bytes) -> None:
        """Read the dataset, in a worker, from the bytes of the process that trains."""
        self.dataset = torch.load(io.BytesIO(state), weights_only=False)


class EpochSamples(Dataset[Any]):
    """Read training samples by epoch and index, with random numbers that depend on both alone.

    Args:
        splits: the samples, and whether reading them draws random numbers
        seed: of the run
    """

    def __init__(self, splits: Splits, seed: int) -> None:
        self.splits = splits
        self.seed = seed

    def __getitem__(self, key: tuple[int, int]) -> Any:
        """Return a sample as this epoch has it."""
        epoch, index = key
        if not self.splits.augmented:
            return self.splits.train[index]
        with seeded(derived_seed("sample", self.seed, epoch, index)):
            return self.splits.train[index]


def training_loader(
    splits: Splits,
    sampler: ShardedBatches,
    device: torch.device,
) -> DataLoader[Any]:
    """Read micro-batches in the sampler's order."""
    return DataLoader(
        CopiedDataset(EpochSamples(splits, sampler.config.seed)),
        batch_sampler=sampler,
        collate_fn=splits.collate,
        # A copy from pinned memory runs while the GPU computes.
        pin_memory=device.type == "cuda",
        # A loader draws a number for its workers when it starts: from torch's own generator, and
        # dropout would be another in a run that was stopped in the middle of an epoch.
        generator=torch.Generator(),
        persistent_workers=sampler.config.workers > 0,
        **_worker_options(sampler.config.workers),
    )


def read(loader: DataLoader[Any]) -> Iterator[Batch]:
    """Yield the loader's batches; what a worker cannot do is reported in one sentence."""
    if not loader.num_workers:
        yield from loader
        return
    try:
        with warnings.catch_warnings():
            # What torch warns of then is what the error says.
            warnings.filterwarnings("ignore", "Got pickle error")
            batches = iter(loader)
        # To be called first at exit: where the run failed, torch would wait for its workers.
        atexit.unregister(_kill_workers)
        atexit.register(_kill_workers)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InputError(
            f"Workers cannot be given the samples of task/data.py: {error}. Define what they need "
            f"at the top level of a module, or use --workers 0."
        ) from error
    try:
        yield from batches
    except (InputError, OSError) as error:
        # Its text is the worker's whole traceback, and ends with what is wrong.
        reason = str(error).strip().rpartition("\n")[2]
        raise InputError(f"A sample of task/data.py cannot be read: {reason}") from error
    except RuntimeError as error:
        if "DataLoader worker" not in str(error) or "Traceback" in str(error):
            raise
        raise OSError(f"{error} Was there too little memory for --workers?") from error


def evaluation_batches(
    dataset: Samples,
    collate: Collate,
    processes: Processes,
    *,
    batch_size: int,
    limit: int,
    workers: int,
) -> Iterator[tuple[Batch, bool]]:
    """Yield this process's batches, and whether each counts.

    All processes get equally many, since a sharded model waits for every process in each batch:
    where the samples do not divide, the last batch of some is one that does not count.

    Args:
        dataset: the samples, each of which counts once over all processes
        collate: makes one batch of a list of samples
        processes: those that evaluate together
        batch_size: samples in a batch of one process
        limit: samples of all processes; 0: all
        workers: processes that load samples; 0: this one does
    """
    count = min(len(dataset), limit or len(dataset))
    batches = math.ceil(math.ceil(count / processes.world_size) / batch_size)
    indices = range(processes.rank, count, processes.world_size)
    # With fewer samples than processes, a process may have none of its own.
    shard: Dataset[Any] = Subset(cast(Dataset[Any], dataset), indices or [0])
    loader = DataLoader(
        CopiedDataset(shard),
        batch_size=batch_size,
        collate_fn=collate,
        generator=torch.Generator(),
        **_worker_options(workers),
    )
    given = 0
    for batch in read(loader):
        yield batch, bool(indices)
        given += 1
    for _ in range(batches - given):
        yield batch, False


def _worker_options(workers: int) -> dict[str, Any]:
    """Return a loader's arguments for this many workers.

    They are forked from a server without threads. A fork of this process would copy the locks that
    its threads hold, such as those of gloo, and might wait for them for ever. Server and workers
    leave signals to this process, which ends them itself.
    """
    if not workers:
        return {}
    if sys.platform == "win32":  # Workers start in programs of their own there.
        return {"num_workers": workers}
    from multiprocessing import forkserver, resource_tracker

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch.utils.data"])
    # The tracker comes first: starting it unblocks signals.
    resource_tracker.ensure_running()
    blocked = signal.pthread_sigmask(
        signal.SIG_BLOCK,
        (signal.SIGHUP, signal.SIGINT, signal.SIGTERM),
    )
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return {
        "num_workers": workers,
        "multiprocessing_context": context,
        "worker_init_fn": _end_with_parent,
    }


def _kill_workers() -> None:
    for worker in multiprocessing.active_children():
        worker.kill()


def _end_with_parent(_: int) -> None:
    """End this worker when the process that started it has ended: torch watches the server."""

    def watch() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
