"""NN105: parameters that `forward` makes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.asking import fits_to_input
from nnscaffold.check.torch_names import PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel


def find(model: ClassModel) -> Iterator[Finding]:
    """NN105: `forward` makes a parameter."""
    if fits_to_input(model):
        return
    for call in model.forward_calls():
        own = bool(call.receiver) and call.receiver[0].is_self
        if call.name in PARAMETERS or (call.method == "register_parameter" and own):
            if call.method == "register_parameter" and _is_none(call.node):
                continue
            where = f"{model.name}.{call.where.function}"
            message = f"`{call.where.function}` makes a parameter, which no optimizer holds"
            yield model.file.finding("NN105", call.node, message, where)


def _is_none(node: ast.Call) -> bool:
    value = node.args[1] if len(node.args) > 1 else None
    return isinstance(value, ast.Constant) and value.value is None
