"""NN401: tensors of the caller that `forward` changes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.asking import guarded_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Write
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Value


def find(model: ClassModel) -> Iterator[Finding]:
    """NN401: `forward` changes a tensor that its caller owns."""
    for write in model.writes:
        if write.where.function not in model.in_forward or guarded_by(write.where, "inplace"):
            continue
        name = next((arg for value in write.values if (arg := _callers(value, write))), "")
        if not name:
            continue
        how = f"`{write.name}`" if write.how == "method" else "an assignment"
        message = f"{how} changes the caller's `{name}` in place"
        where = f"{model.name}.{write.where.function}"
        yield model.file.finding("NN401", write.node, message, where)


def _callers(value: Value, write: Write) -> str:
    """The argument of `forward` that a write changes; nothing if it changes none."""
    if not value.argument.startswith("forward.") or value.kind in ("number", "text"):
        return ""
    if isinstance(write.key, ast.Constant) and isinstance(write.key.value, str):
        return ""  # an item of a dictionary
    if write.how != "method" and not value.is_tensor:
        return ""
    return value.argument.removeprefix("forward.").removesuffix("[]")
