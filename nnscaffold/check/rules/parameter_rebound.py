"""NN204: parameters that are replaced at each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel

# Methods that a framework calls at each step.
_EACH_STEP = (
    *("training_step", "validation_step", "on_train_batch_start", "on_train_batch_end"),
    *("on_before_zero_grad", "optimizer_step", "train", "eval"),
)


def find(model: ClassModel) -> Iterator[Finding]:
    """NN204: a parameter is replaced at each step."""
    steps = model.in_forward | model.reached_from(*_EACH_STEP)
    for one in model.assigns:
        if one.how not in ("assign", "setattr") or one.where.function not in steps:
            continue
        if not _is_parameter(model, one.attribute, steps):
            continue
        if any(value.kind == "none" for value in one.values):
            continue
        message = f"`{one.where.function}` replaces the parameter `self.{one.attribute}`"
        yield model.file.finding("NN204", one.node, message, f"{model.name}.{one.attribute}")


def _is_parameter(model: ClassModel, attribute: str, steps: frozenset[str]) -> bool:
    if model.is_buffer(attribute):
        return False  # a None may be registered in its place
    if model.inherited(attribute) == "parameter":
        return True
    child, _, name = attribute.rpartition(".")
    if child and name in ("weight", "bias"):
        return any(value.kind == "module" for value in model.attributes.get(child, ()))
    return any(
        one.attribute == attribute
        and one.where.function not in steps
        and (one.how == "parameter" or any(value.kind == "parameter" for value in one.values))
        for one in model.assigns
    )
