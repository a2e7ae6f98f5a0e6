"""Which samples each process takes in each step, and how they are read."""

import math
import signal
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch.utils.data import DataLoader, Dataset, Sampler, Subset

from ..command import InputError
from ..distributed.processes import Processes
from ..interface import Batch, Samples, Splits
from .config import TrainConfig
from .random_state import derived_seed, seeded

Collate = Callable[[list[Any]], Batch]


class ShardedBatches(Sampler[list[tuple[int, int]]]):
    """Give one process its shard of each step's samples, a micro-batch at a time.

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
                f"batch_size must divide by processes times micro-steps, {world_size} times "
                f"{micro_steps}; it is {batch_size}."
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
        """Give epoch and index of the samples of one micro-batch after the other."""
        generator = torch.Generator().manual_seed(derived_seed(self.config.seed, self._epoch))
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
        with seeded(derived_seed(self.seed, epoch, index)):
            return self.splits.train[index]


def training_loader(
    splits: Splits,
    sampler: ShardedBatches,
    device: torch.device,
) -> DataLoader[Any]:
    """Read micro-batches in the sampler's order."""
    return DataLoader(
        EpochSamples(splits, sampler.config.seed),
        batch_sampler=sampler,
        collate_fn=splits.collate,
        # A copy from pinned memory runs while the GPU computes.
        pin_memory=device.type == "cuda",
        # A loader draws a number for its workers when it starts: from torch's own generator, and
        # dropout would be another in a run that was stopped in the middle of an epoch.
        generator=torch.Generator(),
        num_workers=sampler.config.workers,
        persistent_workers=sampler.config.workers > 0,
        worker_init_fn=_ignore_signals,
    )


def evaluation_batches(
    dataset: Samples,
    collate: Collate,
    processes: Processes,
    *,
    batch_size: int,
    limit: int,
) -> Iterator[tuple[Batch, bool]]:
    """Give this process's batches, and whether each counts.

    All processes get equally many, since a sharded model waits for every process in each batch:
    where the samples do not divide, the last batch of some is one that does not count.

    Args:
        dataset: the samples, each of which counts once over all processes
        collate: makes one batch of a list of samples
        processes: those that evaluate together
        batch_size: samples in a batch of one process
        limit: batches of each process; 0: all
    """
    count = len(dataset)
    longest = math.ceil(count / processes.world_size)
    batches = math.ceil(longest / batch_size)
    batches = min(batches, limit or batches)
    indices = range(processes.rank, count, processes.world_size)[: batches * batch_size]
    # With fewer samples than processes, a process may have none of its own.
    shard: Dataset[Any] = Subset(cast(Dataset[Any], dataset), indices or [0])
    loader = DataLoader(
        shard,
        batch_size=batch_size,
        collate_fn=collate,
        # No workers: each evaluation would fork anew, and a fork copies the locks that threads of
        # this process hold, gloo's for one. It was seen to wait for them for ever.
        generator=torch.Generator(),
    )
    given = 0
    for batch in loader:
        yield batch, bool(indices)
        given += 1
    for _ in range(batches - given):
        yield batch, False


def _ignore_signals(_: int) -> None:
    """Leave signals to the process that trains: it ends its workers itself."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
