"""NN105 and NN106: parameters and modules that `forward` makes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.torch_names import PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel


def find_parameters(model: ClassModel) -> Iterator[Finding]:
    """NN105: `forward` makes a parameter."""
    if _optimizes(model):
        return
    for call in model.forward_calls():
        own = bool(call.receiver) and call.receiver[0].name == "self"
        if call.name in PARAMETERS or (call.method == "register_parameter" and own):
            if call.method == "register_parameter" and _is_none(call.node):
                continue
            where = f"{model.name}.{call.where.function}"
            message = f"`{call.where.function}` makes a parameter, which no optimizer holds"
            yield model.file.finding("NN105", call.node, message, where)


def _optimizes(model: ClassModel) -> bool:
    """Whether `forward` brings its own optimizer: it fits something to each input."""
    return any(call.name.startswith("torch.optim.") for call in model.forward_calls())


def _is_none(node: ast.Call) -> bool:
    value = node.args[1] if len(node.args) > 1 else None
    return isinstance(value, ast.Constant) and value.value is None


def find_modules(model: ClassModel) -> Iterator[Finding]:
    """NN106: `forward` builds a module that has state."""
    if _optimizes(model):
        return
    built = []
    for call in model.forward_calls():
        made = [one for one in call.results if one.kind == "module" and one.node is call.node]
        if call.name and any(one.stateful for one in made):
            built.append(call)
    inner = {id(part) for call in built for part in ast.walk(call.node) if part is not call.node}
    for call in built:
        if id(call.node) in inner:
            continue
        kind = call.name.rpartition(".")[2]
        where = f"{model.name}.{call.where.function}"
        message = f"`{call.where.function}` builds a {kind}, which no optimizer holds"
        yield model.file.finding("NN106", call.node, message, where)
