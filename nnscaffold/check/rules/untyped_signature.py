"""NN601: signatures without annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.signatures import is_public, parameters_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel


def find(model: ClassModel) -> Iterator[Finding]:
    """NN601: an argument or result of `__init__` or `forward` without an annotation."""
    if not is_public(model):
        return
    for name in ("__init__", "forward"):
        function = model.methods.get(name)
        if function is None:
            continue
        spec = function.args
        rest = (spec.vararg, spec.kwarg)
        parameters = [*parameters_of(function), *(one for one in rest if one)]
        missing = [one.arg for one in parameters if one.annotation is None]
        if name == "forward" and function.returns is None:
            missing.append("the result")
        if missing:
            message = f"`{name}` has no annotation for {', '.join(missing)}"
            yield model.file.finding(
                "NN601", model.file.head(function), message, f"{model.name}.{name}"
            )
