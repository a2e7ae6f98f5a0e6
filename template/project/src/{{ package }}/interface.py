"""What crosses between ``task``, which says what is learned, and all that trains and ships it.

A task knows nothing of processes, devices, checkpoints or export formats; the rest of the package
knows nothing of what is learned. These types are all that they share.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, Self

from torch import Tensor
from torch.utils.data import default_collate

Batch = Any
"""A tree (dictionaries, lists, tuples) of tensors whose first dimension counts the samples."""

Inputs = dict[str, Tensor]
"""What the model is called with, by the names of its forward's parameters: ``model(**inputs)``."""


@dataclasses.dataclass(frozen=True)
class Dimension:
    """A dimension of an input whose size may differ from call to call."""

    name: str
    minimum: int = 1
    maximum: int | None = None
    """None: as large as memory allows."""


BATCH = Dimension("batch")


class Samples(Protocol):
    """Samples with a length and an index: a list, or any dataset but those that only iterate."""

    def __len__(self) -> int:
        """Return how many samples there are."""

    def __getitem__(self, index: int, /) -> Any:
        """Return a sample: a tree of tensors or numbers."""


@dataclasses.dataclass(frozen=True)
class Splits:
    """The samples of training, validation and test; no sample is in two of them."""

    train: Samples
    validation: Samples
    test: Samples
    collate: Callable[[list[Any]], Batch] = default_collate
    """Makes one batch of a list of samples."""
    augmented: bool = False
    """Whether reading a training sample draws random numbers.

    They are then seeded by epoch and sample, for Python, numpy and torch alike, so that neither
    workers nor a stop in the middle of an epoch change what a run sees.
    """


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss as the sum over its terms, so that parts of a batch add up to the whole batch.

    A mean would not: means of batches of unequal size, or of sequences with unequal padding, do not
    average to the mean over all terms.
    """

    sum: Tensor
    """The sum over the terms: one number, differentiable."""
    count: int | Tensor
    """How many terms it is a sum over: samples, tokens, pixels."""
    outputs: Any
    """What the model returned for the batch: any tree of tensors."""


class Metrics(Protocol):
    """Figures of a model's quality that are collected batch by batch, and merged over processes."""

    def update(self, outputs: Any, batch: Batch) -> None:
        """Count one batch in; it may be on any device, what is kept of it is on the CPU."""

    def merge(self, other: Self) -> None:
        """Count in what another process has counted."""

    def compute(self) -> dict[str, float]:
        """Return the figures of all batches so far, by name."""


@dataclasses.dataclass(frozen=True)
class Primary:
    """The metric that chooses the best epoch, and that a quantized or pruned model has to keep."""

    name: str
    direction: Literal["max", "min"]
    """Whether more of it is better, or less."""
    tolerance: float
    """How much of it a quantized or pruned model may lose, in the metric's own unit."""

    def better(self, new: float, old: float) -> bool:
        """Return whether the new value beats the old one."""
        return self.degradation(old, new) < 0

    def degradation(self, before: float, after: float) -> float:
        """Return how much worse it is after than before; below zero where it is better."""
        return before - after if self.direction == "max" else after - before

    @property
    def worst(self) -> float:
        """Return a value that every other one beats."""
        return float("-inf") if self.direction == "max" else float("inf")


def map_tensors(function: Callable[[Tensor], Any], tree: Any) -> Any:
    """Return a tree of the same form with the function's results in place of the tensors."""
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, Mapping):
        return {key: map_tensors(function, value) for key, value in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(map_tensors(function, value) for value in tree))
    if isinstance(tree, list | tuple):
        return type(tree)(map_tensors(function, value) for value in tree)
    return tree
