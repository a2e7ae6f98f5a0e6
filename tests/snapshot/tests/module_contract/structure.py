"""Nested inputs and outputs: tensors in tuples, lists, dictionaries and dataclasses."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

_PLAIN = (bool, int, float, complex, str)


def leaves(tree: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every value that is no container, with its path, in a fixed order."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from leaves(value, f"{path}[{key!r}]")
    elif isinstance(tree, tuple | list):
        for index, value in enumerate(tree):
            yield from leaves(value, f"{path}[{index}]")
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        for field in dataclasses.fields(tree):
            yield from leaves(getattr(tree, field.name), f"{path}.{field.name}")
    else:
        yield path, tree


def tensors(tree: object, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor in it, with its path."""
    for where, value in leaves(tree, path):
        if isinstance(value, Tensor):
            yield where, value


def differentiable(tree: object) -> list[Tensor]:
    """The floating-point and complex tensors in it that are part of a graph."""
    return [value for _, value in tensors(tree) if value.requires_grad]


def make_double(module: nn.Module) -> None:
    """Convert all floating-point state to float64, and complex state, which `double` leaves."""
    module.double()
    module._apply(lambda tensor: tensor.to(torch.complex128) if tensor.is_complex() else tensor)


def convert(
    tree: Any,
    change: Callable[[Tensor], object],
    plain: Callable[[Any], object] = lambda value: value,
) -> Any:
    """The same structure with every tensor changed, and every other value by `plain`."""
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, Mapping):
        changed = {key: convert(value, change, plain) for key, value in tree.items()}
        return changed if type(tree) is dict else type(tree)(**changed)
    if isinstance(tree, tuple | list):
        items = [convert(value, change, plain) for value in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        names = [field.name for field in dataclasses.fields(tree) if field.init]
        changed = {name: convert(getattr(tree, name), change, plain) for name in names}
        return dataclasses.replace(tree, **changed)
    return plain(tree)


def shapes(tree: object) -> object:
    """The same structure with each tensor's shape as a tuple, as `output_shape` states it."""
    if isinstance(tree, Tensor):
        return tuple(tree.shape)
    if isinstance(tree, Mapping):
        return {key: shapes(value) for key, value in tree.items()}
    if isinstance(tree, tuple | list):
        return tuple(shapes(value) for value in tree)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return {field.name: shapes(getattr(tree, field.name)) for field in dataclasses.fields(tree)}
    return () if isinstance(tree, bool | int | float | complex) else tree


def is_shape(expected: object) -> bool:
    """Whether it is the shape of one tensor rather than a structure of shapes."""
    return isinstance(expected, tuple) and all(isinstance(size, int) for size in expected)


def normalised(expected: object) -> object:
    """Stated shapes in the form that `shapes` gives: tuples throughout."""
    if isinstance(expected, Mapping):
        return {key: normalised(value) for key, value in expected.items()}
    if isinstance(expected, tuple | list):
        return tuple(normalised(value) for value in expected)
    return expected


def difference(actual: object, expected: object, tolerance: float | None = None) -> str:
    """What differs between two outputs, or nothing if they agree."""
    left, right = list(leaves(actual, "output")), list(leaves(expected, "output"))
    if [path for path, _ in left] != [path for path, _ in right]:
        return "the outputs have different structures"
    for (path, one), (_, other) in zip(left, right, strict=True):
        if isinstance(one, Tensor) and isinstance(other, Tensor):
            try:
                torch.testing.assert_close(
                    one.detach().to_dense(),
                    other.detach().to_dense(),
                    rtol=tolerance,
                    atol=tolerance,
                    equal_nan=True,
                )
            except AssertionError as error:
                return f"{path} differs: {' '.join(str(error).split())}"
        elif isinstance(one, _PLAIN) and isinstance(other, _PLAIN) and one != other:
            return f"{path} differs: {one!r} is not {other!r}"
    return ""
