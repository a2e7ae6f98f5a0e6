"""NN303: what half precision destroys."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.syntax import keyword, mentions, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Assign, Call
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel

_LARGEST_HALF = 65504.0
_FILLS = frozenset({"masked_fill", "masked_fill_", "where", "full", "full_like", "fill_"})
_COMPLEX_TYPES = ("complex64", "complex128", "cfloat", "cdouble")
# A condition that names one of these knows what half precision holds.
_HALVES = ("dtype", "float16", "half", "bfloat16")
_ROTATIONS = frozenset({"sin", "cos", "polar", "sin_", "cos_"})
_COMPLEX = frozenset({"torch.polar", "torch.complex", "torch.view_as_complex"})


def find(model: ClassModel) -> Iterator[Finding]:
    """NN303: a constant that overflows float16, or what a cast rounds or cuts."""
    yield from _find_fills(model)
    yield from _find_positions(model)
    yield from _find_factors(model)
    if not model.overrides("_apply"):
        yield from _find_complex_buffers(model)


def _find_fills(model: ClassModel) -> Iterator[Finding]:
    """Constants out of float16's range that a tensor is filled with."""
    for call in model.forward_calls():
        if call.method not in _FILLS and call.name.rpartition(".")[2] not in _FILLS:
            continue
        nodes = [*call.node.args, *(one.value for one in call.node.keywords)]
        values = [*call.arguments, *call.keywords.values()]
        for given, held in zip(nodes, values, strict=False):
            large = any(isinstance(v.node, ast.expr) and _is_too_large(v.node) for v in held)
            if large and not _is_wide(call):
                message = f"{ast.unparse(given)} is out of the range of float16"
                where = f"{model.name}.{call.where.function}"
                yield model.file.finding("NN303", given, message, where)


def _find_factors(model: ClassModel) -> Iterator[Finding]:
    """Constants out of float16's range that something is multiplied by."""
    for name, method in model.methods.items():
        if name not in model.in_forward:
            continue
        asked = {
            id(part)
            for test in walk(method)
            if isinstance(test, ast.If | ast.IfExp) and mentions(test.test, *_HALVES)
            for part in walk(test)
        }
        for node in walk(method):
            if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
                continue
            for side in (node.left, node.right):
                if id(node) not in asked and _is_too_large(side):
                    message = f"{ast.unparse(side)} is out of the range of float16"
                    yield model.file.finding("NN303", side, message, f"{model.name}.{name}")


def _find_complex_buffers(model: ClassModel) -> Iterator[Finding]:
    for one in model.assigns:
        if one.how == "buffer" and _is_complex(model, one):
            message = (
                f"`.to(dtype)` cuts the imaginary part of the complex buffer `{one.attribute}`"
            )
            yield model.file.finding("NN303", one.node, message, f"{model.name}.{one.attribute}")


def _find_positions(model: ClassModel) -> Iterator[Finding]:
    """Positions that are counted in half precision: bfloat16 has no integer after 256 but 258."""
    rotating = {call.where.function for call in model.forward_calls() if call.method in _ROTATIONS}
    for call in model.forward_calls():
        if call.name != "torch.arange" or call.where.function not in rotating:
            continue
        dtype = keyword(call.node, "dtype")
        cast = any(
            other.method in ("type_as", "to")
            and id(call.results[0]) in map(id, other.receiver)
            and (other.method == "type_as" or mentions(other.node.args[0], "dtype"))
            for other in model.forward_calls()
            if other.node.args
        )
        if cast or (
            isinstance(dtype, ast.Attribute)
            and dtype.attr == "dtype"
            and not _is_promoted(model.methods.get(call.where.function), dtype.value)
        ):
            message = "positions are counted in the module's precision, which half precision rounds"
            where = f"{model.name}.{call.where.function}"
            yield model.file.finding("NN303", call.node, message, where)


def _is_promoted(function: ast.AST | None, tensor: ast.expr) -> bool:
    """Whether the function casts a tensor before it asks for its dtype: `x = x.to(working)`."""
    return function is not None and any(
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and node.value.func.attr in ("to", "float", "double")
        and any(ast.dump(one) == ast.dump(tensor).replace("Load", "Store") for one in node.targets)
        for node in walk(function)
    )


def _is_too_large(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    if not isinstance(node, ast.Constant) or not isinstance(node.value, float | int):
        return False
    return not isinstance(node.value, bool) and _LARGEST_HALF < node.value < float("inf")


def _is_wide(call: Call) -> bool:
    """Whether the tensor is cast to float32 in the same expression, or is not a float."""
    node = call.node
    dtype = keyword(node, "dtype")
    if call.where.nested or (dtype is not None and not mentions(dtype, "dtype")):
        return True
    receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
    if mentions(receiver, "float", "float32", "double", "long", "int", "int64"):
        return True
    return any(guard for guard in call.where.guards if mentions(guard.test, "dtype", "float32"))


def _is_complex(model: ClassModel, one: Assign) -> bool:
    value = one.value
    for held in one.values:
        made = held.node
        if held.name in _COMPLEX:
            return True
        if isinstance(made, ast.Call) and mentions(keyword(made, "dtype"), *_COMPLEX_TYPES):
            return True
    return isinstance(value, ast.Call) and model.file.names.qualified(value.func) in _COMPLEX
