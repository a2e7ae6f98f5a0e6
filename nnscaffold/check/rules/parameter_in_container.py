"""NN104: parameters in plain containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.containers import find_in_containers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel


def find(model: ClassModel) -> Iterator[Finding]:
    """NN104: parameters in a plain container on `self`."""
    yield from find_in_containers(model, "NN104", "parameter")
