"""NN302: factories that name no device."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.finding import Fix
from nnscaffold.check.rules.shared.edits import add_argument
from nnscaffold.check.rules.shared.factories import stay_behind
from nnscaffold.check.syntax import keyword, positional, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Call
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel


def find(model: ClassModel) -> Iterator[Finding]:
    """NN302: a tensor that `forward` makes on the default device meets others."""
    for call in stay_behind(model):
        if keyword(call.node, "device") is None:
            name = call.name.rpartition(".")[2]
            where = f"{model.name}.{call.where.function}"
            message = f"`torch.{name}` makes a tensor on the default device"
            yield model.file.finding("NN302", call.node, message, where, _fix(model, call))


def _fix(model: ClassModel, call: Call) -> Fix | None:
    source = _device_source(model, call)
    edit = add_argument(model.file, call.node, f"device={source}.device") if source else None
    return Fix(f"Make it on `{source}.device`", (edit,)) if edit else None


def _device_source(model: ClassModel, call: Call) -> str:
    """A tensor at hand whose device is that of the inputs or of the module."""
    function = model.methods.get(call.where.function)
    if function is None or call.where.nested:
        return ""
    own = model.own_name(call.where.function)
    parameters = [one.arg for one in positional(function)[bool(own) :]]
    rebound = {
        part.id
        for part in walk(function)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }
    for name in parameters:
        values = model.parameter_values.get((call.where.function, name), [])
        if name not in rebound and values and all(value.is_tensor for value in values):
            return name
    for attribute, held in model.attributes.items():
        if own and held and all(value.kind in ("parameter", "buffer") for value in held):
            return f"{own}.{attribute}"
    return ""
