"""NN203: buffers that `forward` replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.asking import holds_graph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel


def find(model: ClassModel) -> Iterator[Finding]:
    """NN203: `forward` puts another tensor in the place of a buffer."""
    for one in model.forward_assigns():
        if one.how not in ("assign", "setattr") or not model.is_buffer(one.attribute):
            continue
        if _registered_as_none(model, one.attribute) and not any(
            holds_graph(value) for value in one.values
        ):
            continue
        if any(value.kind == "none" for value in one.values):
            continue
        message = (
            f"`{one.where.function}` puts another tensor in the place of `self.{one.attribute}`"
        )
        yield model.file.finding("NN203", one.node, message, f"{model.name}.{one.attribute}")


def _registered_as_none(model: ClassModel, attribute: str) -> bool:
    registrations = [
        one for one in model.assigns if one.how == "buffer" and one.attribute == attribute
    ]
    return bool(registrations) and all(
        any(value.kind == "none" for value in one.values) for one in registrations
    )
