"""Which images each process takes in each step."""

from collections.abc import Iterator

import torch
from torch.utils.data import Sampler

from .errors import InputError
from .random_state import derived_seed


class SharedBatches(Sampler[list[int]]):
    """Give one process its share of each step's images, a micro-batch at a time.

    An epoch's order depends on nothing but the seed and the epoch: any number of processes and
    micro-steps takes, together, the same images in the same step, and a run that is resumed knows
    its place without having read what came before it. What is left at an epoch's end is less than
    a batch and waits for another epoch, since it could not be shared out evenly: averages over
    processes would then no longer be those over the images.

    Args:
        images: how many there are to train on
        batch_size: how many a step of the optimizer takes, over all processes and micro-steps
        accumulation: micro-steps in a step
        seed: decides on the order of every epoch
        rank: whose share to give
        world_size: how many processes share
    """

    def __init__(
        self,
        images: int,
        *,
        batch_size: int,
        accumulation: int = 1,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if batch_size % (world_size * accumulation) != 0:
            raise InputError(
                f"data.batch_size must divide by processes times micro-steps, {world_size} times "
                f"{accumulation}; it is {batch_size}."
            )
        if batch_size > images:
            raise InputError(
                f"data.batch_size must be at most {images}, the number of training images; it is "
                f"{batch_size}."
            )
        self.images = images
        self.batch_size = batch_size
        self.accumulation = accumulation
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self._epoch = 0
        self._first_step = 0

    @property
    def steps(self) -> int:
        """Steps of the optimizer in a whole epoch."""
        return self.images // self.batch_size

    def start(self, epoch: int, step: int = 0) -> None:
        """Take this epoch next, from its step of this number on."""
        self._epoch = epoch
        self._first_step = step

    def __iter__(self) -> Iterator[list[int]]:
        """Give the indices of one micro-batch after the other."""
        generator = torch.Generator().manual_seed(derived_seed(self.seed, self._epoch))
        order = torch.randperm(self.images, generator=generator)
        micro_batches = order[: self.steps * self.batch_size].view(
            self.steps, self.accumulation, self.world_size, -1
        )
        for step in range(self._first_step, self.steps):
            for share in micro_batches[step, :, self.rank]:
                yield share.tolist()

    def __len__(self) -> int:
        """Return how many micro-batches are to come."""
        return (self.steps - self._first_step) * self.accumulation
