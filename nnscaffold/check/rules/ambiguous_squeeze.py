"""NN405: squeezes that name no dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel


def find(model: ClassModel) -> Iterator[Finding]:
    """NN405: a squeeze that drops the batch, too, where its size is 1."""
    for call in model.forward_calls():
        node = call.node
        if call.method in ("squeeze", "squeeze_") and not call.name:
            bare = not node.args and not node.keywords
            of = call.receiver
        elif call.name == "torch.squeeze":
            bare = len(node.args) == 1 and not node.keywords
            of = call.arguments[0] if call.arguments else []
        else:
            continue
        if bare and any(value.from_input or value.argument for value in of):
            message = "`squeeze()` without a dimension drops the batch where its size is 1"
            where = f"{model.name}.{call.where.function}"
            yield model.file.finding("NN405", node, message, where)
