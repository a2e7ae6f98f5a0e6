"""What an argument is by its annotation: a tensor, a module, a container of them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.syntax import text_of
from nnscaffold.check.values import Value

if TYPE_CHECKING:
    from nnscaffold.check.index import Index
    from nnscaffold.check.names import Names
    from nnscaffold.check.values import Kind

_CONTAINERS: dict[str, Kind] = {
    "list": "list",
    "List": "list",
    "Sequence": "list",
    "Iterable": "list",
    "MutableSequence": "list",
    "tuple": "tuple",
    "Tuple": "tuple",
    "dict": "dict",
    "Dict": "dict",
    "Mapping": "dict",
    "set": "set",
    "Set": "set",
}
_TENSORS = frozenset({"torch.Tensor", "torch.FloatTensor", "torch.LongTensor", "torch.BoolTensor"})
_JAXTYPING = frozenset(
    {"Float", "Int", "Bool", "Num", "Shaped", "Inexact", "Complex", "Float32", "Int64", "BFloat16"}
)


def annotated(annotation: ast.expr | None, names: Names, index: Index) -> Value | None:
    """The value of an argument with that annotation; None if it says nothing of use."""
    if annotation is None:
        return None
    text = text_of(annotation)
    if text is not None:
        try:
            annotation = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return annotated(annotation.left, names, index) or annotated(annotation.right, names, index)
    if isinstance(annotation, ast.Subscript):
        return _subscripted(annotation, names, index)
    name = names.qualified(annotation)
    last = name.rpartition(".")[2]
    if name in _TENSORS:
        return Value("tensor", annotation)
    if name == "torch.nn.Parameter":
        return Value("parameter", annotation, from_state=True)
    if name and index.is_module(name):
        # Whatever is passed may have state, where any module may be.
        stateful = None if name == "torch.nn.Module" else index.stateful(name)
        return Value("module", annotation, name=name, stateful=stateful)
    if last in ("int", "float", "bool"):
        return Value("number", annotation)
    return Value("text", annotation) if last == "str" else None


def _subscripted(annotation: ast.Subscript, names: Names, index: Index) -> Value | None:
    last = names.qualified(annotation.value).rpartition(".")[2]
    inner = annotation.slice
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if last in _JAXTYPING:
        return annotated(parts[0], names, index)
    if last in ("Optional", "Union", "Annotated"):
        found = (annotated(part, names, index) for part in parts)
        return next((value for value in found if value), None)
    kind = _CONTAINERS.get(last)
    if kind is None:
        return None
    items = [value for part in parts if (value := annotated(part, names, index))]
    return Value(kind, annotation, items=items)
