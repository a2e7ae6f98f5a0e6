"""Summaries as JSON and back, for the cache.

Not `pickle`: a cache lies in the folder of a project, and reading a pickle from there would run
what somebody put into it. Nothing but this checker's own dataclasses and enumerations is built.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from importlib import import_module
from typing import Any

_PACKAGE = "nnscaffold.check."
_SEQUENCES = {"tuple": tuple, "list": list, "set": set, "frozenset": frozenset}


def encode(value: Any) -> Any:
    """A value as JSON has it.

    Args:
        value: None, a bool, number or string; or a tuple, list, set, dict, dataclass or enumeration
            of this package that holds such.

    Raises:
        TypeError: It is or holds something else.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    kind = type(value)
    if kind in (tuple, list):
        return [kind.__name__, *map(encode, value)]
    if kind in (set, frozenset):
        return [kind.__name__, *sorted(map(encode, value), key=repr)]
    if kind is dict:
        return ["dict", *([encode(key), encode(each)] for key, each in value.items())]
    if not kind.__module__.startswith(_PACKAGE):
        raise TypeError(f"a cache cannot hold a {kind.__module__}.{kind.__qualname__}")
    name = f"{kind.__module__}:{kind.__qualname__}"
    if isinstance(value, Enum):
        return [name, value.name]
    if not is_dataclass(value):
        raise TypeError(f"a cache cannot hold a {name}")
    return [name, *(encode(getattr(value, field.name)) for field in fields(value) if field.init)]


def decode(encoded: Any) -> Any:
    """The value that was encoded.

    Raises:
        ValueError: It is not one.
    """
    if not isinstance(encoded, list):
        return encoded
    try:
        kind, *parts = encoded
        if kind in _SEQUENCES:
            return _SEQUENCES[kind](map(decode, parts))
        if kind == "dict":
            return {decode(key): decode(each) for key, each in parts}
        if not kind.startswith(_PACKAGE):
            raise ValueError(f"not of this package: {kind}")
        module, _, qualified = kind.partition(":")
        found: Any = import_module(module)
        for name in qualified.split("."):
            found = getattr(found, name)
        if isinstance(found, type) and issubclass(found, Enum):
            return found[parts[0]]
        if not (isinstance(found, type) and is_dataclass(found)):
            raise ValueError(f"not a dataclass: {kind}")
        names = [field.name for field in fields(found) if field.init]
        return found(**dict(zip(names, map(decode, parts), strict=True)))
    except (ImportError, AttributeError, KeyError, IndexError, TypeError) as error:
        raise ValueError("not what was encoded") from error
