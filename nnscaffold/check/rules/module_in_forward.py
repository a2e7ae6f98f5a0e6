"""NN106: modules that `forward` builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.asking import fits_to_input
from nnscaffold.check.syntax import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel


def find(model: ClassModel) -> Iterator[Finding]:
    """NN106: `forward` builds a module that has state."""
    if fits_to_input(model):
        return
    built = []
    for call in model.forward_calls():
        made = [one for one in call.results if one.kind == "module" and one.node is call.node]
        if call.name and any(one.stateful for one in made):
            built.append(call)
    inner = {id(part) for call in built for part in walk(call.node) if part is not call.node}
    for call in built:
        if id(call.node) in inner:
            continue
        kind = call.name.rpartition(".")[2]
        where = f"{model.name}.{call.where.function}"
        message = f"`{call.where.function}` builds a {kind}, which no optimizer holds"
        yield model.file.finding("NN106", call.node, message, where)
