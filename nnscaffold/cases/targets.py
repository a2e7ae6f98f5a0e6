"""From `package.module:Class` to the class; from `package.module` to all that it defines."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
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
    path, name = path_and_class(text)
    holder = import_named(path)
    return [Target(text, class_in(holder, name))] if name else defined_in(holder)


def path_and_class(text: str) -> tuple[str, str]:
    """Split `package.module:Class`; without a colon there is no class.

    Raises:
        CaseError: It is written differently.
    """
    path, colon, name = text.partition(":")
    if "," in text:
        raise CaseError(f"{text!r} names more than one; repeat the option or the table for each")
    if "::" in text:
        raise CaseError(f"{text!r} has two colons; write one: {text.replace('::', ':')}")
    parts = [*path.split("."), *(name.split(".") if colon else ())]
    if not all(part.isidentifier() for part in parts):
        raise CaseError(f"{text!r} is not of the form package.module:Class or package.module")
    return path, name


def import_named(path: str) -> ModuleType:
    """Import a module by its dotted name."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name and f"{path}.".startswith(f"{error.name}."):
            raise CaseError(no_module(error.name)) from None
        raise CaseError(import_failure(path, error)) from None
    except (Exception, SystemExit) as error:
        raise CaseError(import_failure(path, error)) from None


def no_module(path: str) -> str:
    """A sentence that there is no such module, with a name that may be meant."""
    parent, _, name = path.rpartition(".")
    kinds = [] if parent not in sys.modules else kinds_near(sys.modules[parent], name)
    if kinds:
        hint = f"; did you mean {parent}:{kinds[0]}?"
    elif name == "py":
        hint = f"; write {parent}, without .py"
    else:
        holder = sys.modules.get(parent)
        folders = getattr(holder, "__path__", []) if parent else [str(Path.cwd())]
        names = [module.name for module in pkgutil.iter_modules(folders)]
        meant = f"{parent}." if parent else ""
        hint = "".join(f"; did you mean {meant}{one}?" for one in close(name, names))
    return f"there is no module {path} in the current folder or among the installed packages{hint}"


def kinds_near(holder: ModuleType, name: str) -> list[str]:
    """The module class of that name in a file, or else one that may be meant."""
    found = getattr(holder, name, None)
    if isinstance(found, type) and issubclass(found, nn.Module):
        return [name]
    return close(name, (target.kind.__name__ for target in public_modules(holder)))


def close(name: str, names: Iterable[str]) -> list[str]:
    """The name that may be meant, if one is near."""
    return difflib.get_close_matches(name, list(names), 1)


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
            hint = "".join(f"; did you mean {one}?" for one in close(part, kinds))
            raise CaseError(f"{holder.__name__} has no {part}{hint or listing(kinds)}")
        found = getattr(found, part)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        instance = f", but a {type(found).__name__}" if isinstance(found, nn.Module) else ""
        raise CaseError(f"{holder.__name__}:{name} is not a subclass of torch.nn.Module{instance}")
    return found


def class_at_hand(name: str) -> type[nn.Module] | None:
    """The class of a name, where its module is imported already; None where it could be.

    Raises:
        CaseError: There is no such module, or no such class in it.
    """
    path, kind = path_and_class(name)
    if path in sys.modules:
        return class_in(sys.modules[path], kind)
    parts = path.split(".")
    prefixes = (".".join(parts[: count + 1]) for count in range(len(parts)))
    inner = next(prefix for prefix in prefixes if prefix not in sys.modules)
    try:
        # It looks into the package above, which is imported already, and imports nothing itself.
        there = importlib.util.find_spec(inner)
    except ModuleNotFoundError:  # what is above is not a package
        there = None
    if there is None:
        raise CaseError(no_module(inner))
    return None


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
