"""Inputs of other lengths than the stated ones, where a module takes them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .core import Case
from .findings import NotApplicable
from .tree import convert, tensors


@dataclass(frozen=True)
class Lengths:
    """The dimensions of the inputs that may have another size.

    Attributes:
        inputs: The inputs as stated.
        axes: For each tensor in them, the dimensions that make up the length.
        size: The stated length.
    """

    inputs: Any
    axes: list[list[int]]
    size: int

    def of(self, size: int) -> Any:
        """The inputs for another length: cut, or repeated from the start."""
        remaining = iter(self.axes)
        index = torch.arange(size) % self.size

        def resize(tensor: Tensor) -> Tensor:
            for axis in next(remaining):
                counts = not tensor.is_floating_point() and bool((tensor.diff(dim=axis) == 1).all())
                tensor = tensor.index_select(axis, index)
                if counts:  # positions, which go on
                    rounds = torch.arange(size) // self.size * self.size
                    tensor = tensor + rounds.view(-1, *[1] * (tensor.dim() - axis - 1))
            return tensor.clone()

        return convert(self.inputs, resize)


def lengths_of(case: Case) -> Lengths | None:
    """The first dimension after the batch that a module takes in another size as well."""
    if "lengths" not in case.kept:
        case.kept["lengths"] = next(filter(None, map(tried(case), candidates(case))), None)
    return case.kept["lengths"]


def candidates(case: Case) -> list[Lengths]:
    """What may be a length: a dimension of the first tensor, and what equals it in the others."""
    inputs = case.inputs()
    given = [tensor for _, tensor in tensors(inputs)]
    try:
        batch = case.input_axes()
    except NotApplicable:
        batch = [None for _ in given]
    if not given:
        return []
    found: list[Lengths] = []
    free = [
        [axis for axis in range(tensor.dim()) if axis != of_batch]
        for tensor, of_batch in zip(given, batch, strict=True)
    ]
    for place in free[0]:
        size = given[0].shape[place]
        alike = [
            [axis for axis in axes if tensor.shape[axis] == size]
            for tensor, axes in zip(given, free, strict=True)
        ]
        only = [[axis for axis in axes if axis == place] for axes in alike]
        found += [Lengths(inputs, axes, size) for axes in (only, alike)] if size > 1 else []
    return found


def tried(case: Case) -> Any:
    module = case.build(training=False)

    def works(lengths: Lengths) -> Lengths | None:
        try:
            case.evaluate(module, lengths.of(lengths.size - 1))
        except Exception:
            return None
        return lengths

    return works
