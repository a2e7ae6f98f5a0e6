"""NN205: writes through `.data`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.syntax import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.file import File
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.index import Index

# Names that parameters have in code that goes through them.
_PARAMETERS = frozenset({"p", "param", "parameter", "weight", "bias", "w", "b", "buf", "buffer"})
_ENDINGS = ("weight", "bias", "param", "weights", "params", "parameter", "_w", "_b", "_p")


def find_in_file(file: File, index: Index) -> Iterator[Finding]:
    """NN205: a value changes where autograd does not see it."""
    if "torch" not in file.source.text or ".data" not in file.source.text:
        return
    parameters = _loops_over_parameters(file) | _PARAMETERS
    for node in file.nodes:
        written = _written(node, parameters)
        if written is None:
            continue
        name = ast.unparse(written)
        message = f"writes through `{name}`, hidden from autograd"
        yield file.finding("NN205", node, message, name)


def _loops_over_parameters(file: File) -> set[str]:
    """The names that loops over `parameters()` give to what they go through."""
    if "parameters" not in file.source.text:
        return set()
    return {
        part.id
        for node in file.nodes
        if isinstance(node, ast.For | ast.comprehension)
        and any(
            isinstance(one, ast.Attribute) and one.attr in ("parameters", "named_parameters")
            for one in walk(node.iter)
        )
        for part in walk(node.target)
        if isinstance(part, ast.Name)
    }


def _written(node: ast.AST, parameters: set[str]) -> ast.Attribute | None:
    """The `.data` that a node writes to."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        method = node.func.attr
        in_place = method.endswith("_") and not method.endswith("__")
        if not in_place or method in ("requires_grad_", "share_memory_"):
            return None
        return _data(node.func.value)
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    for target in targets:
        data = _data(target)
        if data is None:
            continue
        if isinstance(target, ast.Subscript):
            if _is_parameter(data.value, parameters) or isinstance(node, ast.AugAssign):
                return data
        elif _is_parameter(data.value, parameters) or (
            isinstance(node, ast.AugAssign) and isinstance(data.value, ast.Attribute)
        ):
            return data
    return None


def _data(node: ast.expr) -> ast.Attribute | None:
    while isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Attribute) and node.attr == "data":
        if isinstance(node.value, ast.Name) and node.value.id in ("self", "torch", "cls"):
            return None
        return node
    return None


def _is_parameter(node: ast.expr, parameters: set[str]) -> bool:
    while isinstance(node, ast.Subscript):
        node = node.value
    name = node.attr if isinstance(node, ast.Attribute) else ""
    name = node.id if isinstance(node, ast.Name) else name
    return name.lower() in parameters or name.lower().endswith(_ENDINGS)
