"""What is exported, with the inputs that it is traced with and measured on."""

import dataclasses
import hashlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.utils import _pytree as pytree

from ..checkpoints.state import Weights, load_trained
from ..command import InputError
from ..interface import Batch, Dimension, Inputs, Splits
from ..task.data import DYNAMIC, inputs
from ..training.sampling import load_splits
from .target import quiet

MAX_SAMPLES = 1000
"""Test samples that are compared at each batch size, evenly spread over all of them."""
SOURCE = "DYNAMIC in task/data.py"

Shape = list[int | str]
"""Sizes, and the names of the dimensions that may differ from call to call."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """A trained model with the data that belong to it; path, hash and size are the checkpoint's."""

    path: Path
    model: nn.Module
    """On the CPU, in evaluation mode, without gradients."""
    weights: Weights
    splits: Splits
    sha256: str
    bytes: int

    @property
    def dimensions(self) -> dict[str, Dimension]:
        """The dimensions that may differ from call to call, by name; the batch comes first."""
        found = [dimension for axes in DYNAMIC.values() for dimension in axes.values()]
        return {dimension.name: dimension for dimension in [self.batch, *found]}

    @property
    def batch(self) -> Dimension:
        """The first dimension of all inputs."""
        first = {axes.get(0) for axes in DYNAMIC.values()}
        dimension = first.pop() if len(first) == 1 else None
        if dimension is None:
            raise InputError(f"{SOURCE} must give dimension 0 of every input the same Dimension.")
        return dimension

    def samples(self) -> list[Any]:
        """Return the test samples that are compared."""
        total: int = len(self.splits.test)
        count = min(total, MAX_SAMPLES)
        return [self.splits.test[number * total // count] for number in range(count)]

    def batches(self, size: int) -> Iterator[Batch]:
        """Give these samples in batches; the last one may be smaller."""
        samples = self.samples()
        for start in range(0, len(samples), size):
            part = samples[start : start + size]
            if len(part) >= self.batch.minimum:
                yield self.splits.collate(part)

    def inputs_of(self, batch: Batch) -> Inputs:
        """Return what the model is called with, in the order of its forward's parameters."""
        given = inputs(batch)
        order = list(inspect.signature(self.model.forward).parameters)
        known = sorted((name for name in given if name in order), key=order.index)
        return {name: given[name] for name in [*known, *(given.keys() - known)]}

    def example(self, size: int = 2) -> Inputs:
        """Return the first test samples as inputs; no dynamic dimension of them is 1.

        Tracing would take a size of 1 for a constant.
        """
        total: int = len(self.splits.test)
        batch = self.splits.collate([self.splits.test[number % total] for number in range(size)])
        given = self.inputs_of(batch)
        if given.keys() != DYNAMIC.keys():
            raise InputError(
                f"{SOURCE} names the inputs {', '.join(DYNAMIC)}; the model gets "
                f"{', '.join(given)}."
            )
        small = [name for name, found in sizes_of(given).items() if found < 2]
        return resized(given, dict.fromkeys(small, 2))

    def outputs(self, given: Inputs) -> dict[str, Tensor]:
        """Return the tensors that the model returns, by the names that they get in an artefact."""
        with torch.inference_mode():
            returned = self.model(**{name: tensor.clone() for name, tensor in given.items()})
        named: dict[str, Tensor] = {}
        for path, leaf in pytree.tree_flatten_with_path(returned)[0]:
            # `output` or `output_0`; in a dictionary its key, and `boxes.0` where it holds more.
            name = ".".join(str(getattr(key, "key", getattr(key, "idx", key))) for key in path)
            name = name if path and not hasattr(path[0], "idx") else f"output_{name}".rstrip("_")
            if not isinstance(leaf, Tensor):
                raise InputError(
                    f"{type(self.model).__name__} returns a {type(leaf).__name__} as {name}: an "
                    f"artefact returns tensors, in dictionaries, lists and tuples of them."
                )
            named[f"{name}_out" if name in given else name] = leaf
        return named

    def output_shapes(self) -> dict[str, Shape]:
        """Return the shape of each output.

        Raises:
            InputError: the model does not take a size that ``DYNAMIC`` or a test sample has
        """
        self._check_samples()
        example = self.example()
        outputs = self.outputs(example)
        shapes: dict[str, Shape] = {name: list(tensor.shape) for name, tensor in outputs.items()}
        for name, dimension in self.dimensions.items():
            size = sizes_of(example)[name]
            other = 2 * size if 2 * size <= (dimension.maximum or 2 * size) else size // 2
            for edge in edges(dimension):
                self._outputs_at(example, name, edge)
            for output, tensor in self._outputs_at(example, name, other).items():
                for axis, length in enumerate(tensor.shape):
                    if length != outputs[output].shape[axis]:
                        shapes[output][axis] = name if length == other else f"{name}_{axis}"
        return shapes

    def program(self) -> ExportedProgram:
        """Return the program of the model, which most exports start from.

        torch.export raises where a value or a dynamic size decides what is computed. Other tracers
        take the example's way for the only one, and stay silent.
        """
        example = self.example()
        known = {
            name: Dim(name, min=dimension.minimum, max=dimension.maximum)
            for name, dimension in self.dimensions.items()
        }
        shapes = {
            name: {axis: known[dimension.name] for axis, dimension in DYNAMIC[name].items()}
            for name in example
        }
        with quiet():
            return torch.export.export(self.model, (), example, dynamic_shapes=shapes)

    def _outputs_at(self, example: Inputs, name: str, size: int) -> dict[str, Tensor]:
        """Return the outputs where a dynamic dimension has this size."""
        try:
            return self.outputs(resized(example, {name: size}))
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"{type(self.model).__name__} fails where {name} is {size}, which {SOURCE} allows: "
                f"{str(error).partition(chr(10))[0]}"
            ) from error

    def _check_samples(self) -> None:
        """Refuse test samples of sizes that ``DYNAMIC`` does not have."""
        example = self.example()
        for batch in self.batches(1):
            for name, tensor in self.inputs_of(batch).items():
                axes = DYNAMIC[name]
                for axis, size in enumerate(tensor.shape):
                    if axis not in axes and size != example[name].shape[axis]:
                        raise InputError(
                            f"Dimension {axis} of {name} is {size} in one test sample and "
                            f"{example[name].shape[axis]} in another: give it a Dimension in "
                            f"{SOURCE}."
                        )
                    limits = axes.get(axis)
                    if axis and limits and not limits.minimum <= size <= (limits.maximum or size):
                        raise InputError(
                            f"{limits.name} is {size} in a test sample; {SOURCE} has "
                            f"{limits.minimum} to {limits.maximum or 'any'}."
                        )


def edges(dimension: Dimension) -> set[int]:
    """Return the smallest size of a dimension, and the largest if there is one."""
    return {dimension.minimum, dimension.maximum or dimension.minimum}


def sizes_of(given: Inputs) -> dict[str, int]:
    """Return the size that each dynamic dimension has in these inputs."""
    return {
        dimension.name: given[name].shape[axis]
        for name, axes in DYNAMIC.items()
        for axis, dimension in axes.items()
    }


def resized(given: Inputs, sizes: dict[str, int]) -> Inputs:
    """Cut dynamic dimensions to these sizes, or fill them up with what is there."""
    result = dict(given)
    for name, axes in DYNAMIC.items():
        for axis, dimension in axes.items():
            if wanted := sizes.get(dimension.name):
                rows = torch.arange(wanted) % result[name].shape[axis]
                result[name] = result[name].index_select(axis, rows)
    return result


def load_subject(path: Path) -> Subject:
    """Read a checkpoint and the data of its run."""
    # Whoever reads it as a checkpoint says what is wrong.
    content = path.read_bytes() if path.is_file() else b""
    trained = load_trained(path)
    if path.read_bytes() != content:
        raise InputError(f"{path} was written anew while it was read: export it again.")
    return Subject(
        path,
        trained.model.requires_grad_(False),
        trained.weights,
        load_splits(trained.weights.config),
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
    )
