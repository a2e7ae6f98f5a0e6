"""NN109: one module in several places."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.values import CONTAINERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Value


def find(model: ClassModel) -> Iterator[Finding]:
    """NN109: an instance with parameters fills several places of a container."""
    reported: set[int] = set()
    for one in model.assigns:
        if one.where.function in model.in_forward and one.where.function != "forward":
            continue
        for container in _containers(one.values):
            for item in container.items:
                if not _counts(item) or id(item.repeated) in reported:
                    continue
                reported.add(id(item.repeated))
                name = f"{model.name}.{one.attribute}"
                message = (
                    f"`self.{one.attribute}` holds one module several times: one set of weights"
                )
                assert item.repeated is not None
                yield model.file.finding("NN109", item.repeated, message, name)


def _containers(values: list[Value], *, depth: int = 3) -> Iterator[Value]:
    """The containers among some values and inside them; not for ever, as a list may hold itself."""
    for value in values:
        if value.kind in CONTAINERS or (value.kind == "module" and value.items):
            yield value
            inner = [item for item in value.items if depth and item.kind in CONTAINERS]
            yield from _containers(inner, depth=depth - 1)


def _counts(item: Value) -> bool:
    made = isinstance(item.node, ast.Call)
    repeated = item.repeated is not None
    return item.kind == "module" and repeated and made and item.stateful is not False
