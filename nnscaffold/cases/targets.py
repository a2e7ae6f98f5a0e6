"""From `package.module:Class` to the class; from `package.module` to all that it defines."""

from __future__ import annotations

import difflib
import importlib
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from .errors import CaseError, one_line

if TYPE_CHECKING:
    from types import ModuleType


@dataclass(frozen=True)
class Target:
    """A module class, and the name by which it was asked for or can be."""

    name: str
    kind: type[nn.Module]


def find_targets(text: str) -> list[Target]:
    """The class of that name, or all public ones that a module defines.

    Raises:
        CaseError: Nothing of that name can be imported, or it is not a module.
    """
    path, colon, name = text.partition(":")
    parts = [*path.split("."), *(name.split(".") if colon else ())]
    if not all(part.isidentifier() for part in parts):
        raise CaseError(f"{text!r} is not of the form package.module:Class or package.module")
    holder = import_named(path)
    return [Target(text, class_in(holder, name))] if colon else defined_in(holder)


def import_named(path: str) -> ModuleType:
    """Import a module by its dotted name."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name and f"{path}.".startswith(f"{error.name}."):
            there = "in the current folder or among the installed packages"
            raise CaseError(f"there is no module {error.name} {there}") from None
        raise CaseError(import_failure(path, error)) from None
    except (Exception, SystemExit) as error:
        raise CaseError(import_failure(path, error)) from None


def import_failure(path: str, error: BaseException) -> str:
    """Why a module cannot be imported, with the line that raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "importlib" not in frame.filename][1:]
    where = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    return f"{path} cannot be imported: {one_line(error)}{where}"


def class_in(holder: ModuleType, name: str) -> type[nn.Module]:
    """The module class of that name."""
    found: object = holder
    for part in name.split("."):
        if not hasattr(found, part):
            kinds = [target.kind.__name__ for target in public_modules(holder)]
            close = difflib.get_close_matches(part, kinds, 1)
            hint = f"; it defines {close[0]}" if close else listing(kinds)
            raise CaseError(f"{holder.__name__} has no {part}{hint}")
        found = getattr(found, part)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise CaseError(f"{holder.__name__}:{name} is not a subclass of torch.nn.Module")
    return found


def listing(kinds: list[str]) -> str:
    """The end of a sentence about a name that a module does not have."""
    return f"; it defines {', '.join(kinds)}" if kinds else "; it defines no public nn.Module"


def defined_in(holder: ModuleType) -> list[Target]:
    """All public modules that are defined there, not only imported."""
    if found := public_modules(holder):
        return found
    raise CaseError(
        f"{holder.__name__} defines no public nn.Module; name the file's own module, "
        "not a package that only imports from it"
    )


def public_modules(holder: ModuleType) -> list[Target]:
    """The module classes that a file defines itself, in its order."""
    return [
        Target(f"{holder.__name__}:{name}", value)
        for name, value in vars(holder).items()
        if isinstance(value, type)
        and issubclass(value, nn.Module)
        and value.__module__ == holder.__name__
        and not name.startswith("_")
    ]
