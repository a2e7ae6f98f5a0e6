"""How a class is constructed: the arguments that are known, and the few that can be chosen."""

from __future__ import annotations

import copy
import inspect
import re
import typing
from typing import TYPE_CHECKING, Any

from .annotations import required_parameters
from .errors import CaseError

if TYPE_CHECKING:
    from torch import nn

# A value for a required argument of that type whose whole name matches. Widths are equal and
# divisible by the number of heads, so that they fit each other.
_CHOICES: list[tuple[type, str, Any]] = [
    (int, r"(num_|n_)?(heads?|layers|blocks)|nhead|depth", 2),
    (int, r"(\w+_)?(features|channels|dim|size|width|units)|dim|width|d_\w+", 8),
    (int, r"(num_|n_)?(classes|labels|embeddings|tokens|experts)|vocab(ulary)?_size", 4),
    (int, r"kernel_size", 3),
    (int, r"max_(seq_)?len(gth)?|(sequence|seq|context)_len(gth)?", 16),
    (float, r"p|(\w+_)?(dropout|drop|drop_prob|dropout_prob)", 0.1),
    (float, r"eps|epsilon", 1e-5),
    (bool, r"(\w+_)?bias|affine|(\w+_)?norm", True),
]
# Sizes of something else than the module: of a batch, an image, a patch, a kernel by dimension.
_UNSAFE = re.compile(r"(batch|image|img|patch|window|block|step|pool|bucket|chunk)_size")


class Constructor:
    """Builds a class with arguments of its own each time; `device` and `dtype` go on.

    Args:
        kind: The class.
        args: Its arguments by position.
        kwargs: Its arguments by name.

    Raises:
        CaseError: The class cannot be called with them.
    """

    def __init__(
        self, kind: type[nn.Module], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.kind, self.args, self.kwargs = kind, args, kwargs
        self.__name__ = kind.__name__
        try:
            signature = inspect.signature(kind)
            bound = signature.bind(*args, **kwargs)
        except (TypeError, ValueError) as error:
            raise CaseError(f"{kind.__name__} cannot be called so: {error}") from None
        rest = [one for name, one in signature.parameters.items() if name in ("device", "dtype")]
        free = [one for one in rest if one.name not in bound.arguments]
        self.__signature__ = inspect.Signature(
            [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in free]
        )
        bound.apply_defaults()
        self.sizes = {name: value for name, value in bound.arguments.items() if type(value) is int}

    def __call__(self, **options: Any) -> nn.Module:
        """Build one."""
        args, kwargs = copy.deepcopy((self.args, self.kwargs))
        return self.kind(*args, **kwargs, **options)


def chosen_arguments(kind: type[nn.Module]) -> dict[str, Any]:
    """Values for what the constructor needs.

    Raises:
        CaseError: The type and the name of an argument do not say enough; it lists those.
    """
    initialise: Any = kind.__init__
    try:
        needed = required_parameters(initialise)
    except (TypeError, ValueError) as error:
        raise CaseError("the constructor, which has no signature") from error
    try:
        hints = typing.get_type_hints(initialise)
    except Exception:  # an annotation that only type checkers can resolve
        hints = {}
    found = {one.name: choice(one.name, hints.get(one.name, one.annotation)) for one in needed}
    if missing := [name for name, value in found.items() if value is None]:
        listed = ", ".join(f"`{name}`" for name in missing)
        raise CaseError(f"the constructor's {listed}")
    return found


def choice(name: str, annotation: Any) -> Any:
    """The value for an argument; None where there is no safe one."""
    for kind, pattern, value in _CHOICES:
        if annotation in (kind, kind.__name__) and re.fullmatch(pattern, name):
            return None if _UNSAFE.fullmatch(name) else value
    return None
