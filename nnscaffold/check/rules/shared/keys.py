"""Names under which nothing can be registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


def problem_of(key: str, reserved: frozenset[str]) -> str:
    """Why a container takes no such key; nothing if it does."""
    if key == "":
        return "is empty"
    if "." in key:
        return "has a dot, which separates names in a state dict"
    return "is an attribute of the container" if key in reserved else ""
