"""The shapes that jaxtyping's annotations give forward's arguments, with or without jaxtyping."""

from __future__ import annotations

import ast
import inspect
import re
import typing
from typing import TYPE_CHECKING, Any

import torch

from .errors import CaseError
from .shapes import Shape

if TYPE_CHECKING:
    from torch import nn

# By the beginning of jaxtyping's name; a number behind it is the width.
_FAMILIES = {"Bool": "bool", "Complex": "complex64", "UInt": "uint8", "Int": "int64"}
_WITH_WIDTH = re.compile(r"(Float|BFloat|Int|UInt|Complex)\d+")


def required_parameters(function: Any) -> list[inspect.Parameter]:
    """A method's parameters that a call has to give, `self` left out."""
    _, *rest = inspect.signature(function).parameters.values()
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [one for one in rest if one.default is one.empty and one.kind not in variadic]


def annotated_inputs(kind: type[nn.Module]) -> dict[str, Shape] | None:
    """The shape of every argument that forward needs; None where one is not annotated so."""
    forward: Any = kind.forward
    try:
        hints = typing.get_type_hints(forward)
    except Exception:  # a name that only type checkers import: the text itself says enough
        hints = {}
    found = {}
    for parameter in required_parameters(forward):
        shape = shape_of(hints.get(parameter.name, parameter.annotation))
        if shape is None or parameter.kind is parameter.POSITIONAL_ONLY:
            return None
        found[parameter.name] = shape
    return found


def shape_of(annotation: Any) -> Shape | None:
    """What an annotation such as `Float[Tensor, "batch 10"]` says; None if it is another one."""
    if isinstance(annotation, str):
        return shape_of_text(annotation)
    dims, family = getattr(annotation, "dim_str", None), getattr(annotation, "dtype", None)
    if not isinstance(dims, str) or family is None:
        return None
    return jaxtyped(getattr(family, "__name__", type(family).__name__), dims)


def shape_of_text(text: str) -> Shape | None:
    """The same, read from source that cannot be evaluated here."""
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Tuple):
        return shape_of_text(node.value) if is_text(node) else None
    family = node.value.attr if isinstance(node.value, ast.Attribute) else node.value
    name = family.id if isinstance(family, ast.Name) else family
    dims = node.slice.elts[-1]
    if len(node.slice.elts) != 2 or not is_text(dims) or not isinstance(name, str):
        return None
    return jaxtyped(name, dims.value)


def is_text(node: ast.expr) -> typing.TypeGuard[Any]:
    """Whether an expression is a string."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def jaxtyped(family: str, text: str) -> Shape:
    """Read jaxtyping's notation of dimensions.

    Raises:
        CaseError: A dimension depends on what is known only while forward runs.
    """
    dims: list[str] = []
    for written in text.split():
        # `#` may be broadcast, `?` may differ in a tree, `name=` explains a number.
        dim = written.lstrip("#?").rpartition("=")[2]
        if "{" in dim:
            raise CaseError(f"the dimension {dim!r} is known only while forward runs")
        if dim != "...":
            # `*` stands for any number of dimensions, so one is enough; `_` fixes no size.
            dims.append(dim.lstrip("*_") or "_")
        elif not dims:
            dims.append("batch")
    return Shape(tuple(dims), dtype_of(family))


def dtype_of(family: str) -> torch.dtype | None:
    """Torch's type for a name of jaxtyping's; None for the default floating-point one."""
    name = family.lower() if _WITH_WIDTH.fullmatch(family) else ""
    for beginning, usual in _FAMILIES.items():
        name = name or (usual if family.startswith(beginning) else "")
    found = getattr(torch, name, None) if name else None
    return found if isinstance(found, torch.dtype) else None
