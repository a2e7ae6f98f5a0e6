"""Shapes with names in them, as pyproject.toml and annotations write them, made into tensors."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .errors import CaseError

BATCH_NAMES = frozenset({"b", "batch", "batch_size", "batchsize", "bs", "n"})
_IMAGE_SIDES = frozenset({"h", "height", "w", "width"})
IMAGE_SIDE = 16
# Sizes of dimensions that nothing fixes: unlike each other, and unlike usual batches.
FREE_SIZES = (5, 6, 7, 9, 10, 11, 12)
_FIELD = re.compile(r"(?:(?P<dtype>[a-z]\w*)\s*)?\[(?P<dims>[^\]]*)\](?:\s*<\s*(?P<below>.+))?")
_OPERATIONS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


@dataclass(frozen=True)
class Shape:
    """A tensor to be made.

    Attributes:
        dims: Each dimension: a number, a name or an expression of both.
        dtype: Its type; None for the default floating-point one.
        below: What the values of an integer tensor stay below, written like a dimension.
    """

    dims: tuple[str, ...]
    dtype: torch.dtype | None = None
    below: str = "2"


def read_shape(text: str) -> Shape:
    """Read `float32[batch, 10]`; `[batch, 10]` is of the default type, `int64[batch] < 7` below 7.

    Raises:
        CaseError: It is written differently, or torch has no such type.
    """
    found = _FIELD.fullmatch(text.strip())
    if not found:
        example = '"float32[batch, 10]", "[batch, 10]" or "int64[batch, 5] < 100"'
        raise CaseError(f"{text!r} is not a shape; write it like {example}")
    dtype = getattr(torch, found["dtype"], None) if found["dtype"] else None
    if found["dtype"] and not isinstance(dtype, torch.dtype):
        raise CaseError(f"torch has no type {found['dtype']!r}, which {text!r} names")
    dims = tuple(dim.strip() for dim in found["dims"].split(",") if dim.strip())
    return Shape(dims, dtype, found["below"] or "2")


def names_in(dim: str) -> set[str]:
    """The names in a dimension."""
    return set(re.findall(r"[^\W\d]\w*", dim))


def batch_name(shapes: Iterable[Shape], known: Mapping[str, int]) -> str | None:
    """The name of the batch: the first that is called so, or that all shapes share."""
    dims = [[dim for dim in shape.dims if dim.isidentifier()] for shape in shapes]
    free = [name for row in dims for name in row if name not in known]
    called = [name for name in free if name.lower() in BATCH_NAMES]
    shared = [name for name in free if all(name in row for row in dims)]
    return next(iter([*called, *shared]), None)


@dataclass
class RandomInputs:
    """Makes forward's arguments, with other values each time.

    Attributes:
        tree: A tuple or dictionary of them, with a shape wherever a tensor is to be.
        sizes: What the constructor's arguments say of dimensions with their names.
    """

    tree: Any
    sizes: dict[str, int]

    def __post_init__(self) -> None:
        """Give every name a size, once for all tensors."""
        shapes = list(shapes_in(self.tree))
        self.batch = batch_name(shapes, self.sizes)
        free = iter(FREE_SIZES)
        for name in [
            name for shape in shapes for dim in shape.dims for name in sorted(names_in(dim))
        ]:
            if name == self.batch or name in self.sizes:
                continue
            side = name.lower() in _IMAGE_SIDES
            self.sizes[name] = IMAGE_SIDE if side else next(free, FREE_SIZES[-1])
        self(2)

    def __call__(self, batch: int) -> Any:
        """Make them for that many samples."""
        known = self.sizes | ({self.batch: batch} if self.batch else {})
        return self.filled(self.tree, known)

    def filled(self, tree: Any, known: Mapping[str, int]) -> Any:
        """The same with tensors for shapes."""
        if isinstance(tree, Shape):
            return random_tensor(tree, known)
        if isinstance(tree, dict):
            return {key: self.filled(value, known) for key, value in tree.items()}
        if isinstance(tree, tuple | list):
            return type(tree)(self.filled(value, known) for value in tree)
        return tree


def shapes_in(tree: Any) -> Iterable[Shape]:
    """Every shape in a tree, in order."""
    if isinstance(tree, Shape):
        yield tree
    elif isinstance(tree, dict | tuple | list):
        for value in tree.values() if isinstance(tree, dict) else tree:
            yield from shapes_in(value)


def random_tensor(shape: Shape, known: Mapping[str, int]) -> Tensor:
    """A tensor of that shape: normal values, integers from 0 on, or a mask that is all true.

    Raises:
        CaseError: A size is unknown, or there are no integers below the limit.
    """
    sizes = [size_of(dim, known) for dim in shape.dims]
    if shape.dtype is None or shape.dtype.is_floating_point or shape.dtype.is_complex:
        return torch.randn(sizes, dtype=shape.dtype)
    if shape.dtype is torch.bool:
        return torch.ones(sizes, dtype=torch.bool)
    below = size_of(shape.below, known)
    if below < 1:
        raise CaseError(f"integers below {shape.below!r}: there are none from 0 on")
    return torch.randint(below, sizes, dtype=shape.dtype)


def size_of(dim: str, known: Mapping[str, int]) -> int:
    """The size of a dimension.

    Raises:
        CaseError: It is more than numbers and names, or a name is unknown.
    """
    try:
        return evaluated(ast.parse(dim, mode="eval").body, known)
    except (SyntaxError, ValueError, ZeroDivisionError):
        raise CaseError(f"{dim!r} is not a size; write a number, a name or a sum of them") from None


def evaluated(node: ast.expr, known: Mapping[str, int]) -> int:
    """The value of a size that is parsed already."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name) and node.id in known:
        return known[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        left, right = evaluated(node.left, known), evaluated(node.right, known)
        return _OPERATIONS[type(node.op)](left, right)
    raise ValueError
