"""Tensors that `forward` makes on the default device."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.torch_names import FACTORIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Call
    from nnscaffold.check.model import ClassModel


def stay_behind(model: ClassModel) -> Iterator[Call]:
    """The calls of factories in `forward` that take no device from anything, and meet others.

    Those that name a device are among them if that is the CPU.
    """
    for call in model.forward_calls():
        if call.name not in FACTORIES or not call.results:
            continue
        result = call.results[0]
        if call.name == "torch.randperm":
            continue  # it is an index by nature
        if result in model.met and not result.scalar and not _has_no_dimension(call):
            yield call


def _has_no_dimension(call: Call) -> bool:
    first = call.node.args[0] if call.node.args else None
    if isinstance(first, ast.Tuple | ast.List) and not first.elts:
        return call.name != "torch.tensor"
    # `torch.empty(0)` holds the place of what comes.
    return call.name == "torch.empty" and isinstance(first, ast.Constant) and first.value == 0
