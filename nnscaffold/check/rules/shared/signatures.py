"""Questions about public modules and their signatures."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.syntax import positional

if TYPE_CHECKING:
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.syntax import Function


def is_public(model: ClassModel) -> bool:
    """Whether others may use a class: it has no underscore, and stands in no function."""
    return not model.name.startswith("_") and model.node not in model.file.local_classes


def parameters_of(function: Function) -> list[ast.arg]:
    """The parameters of a method that a caller may name, without `self`."""
    return positional(function)[1:] + function.args.kwonlyargs
