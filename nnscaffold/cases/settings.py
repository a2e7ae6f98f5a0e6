"""What pyproject.toml states about modules: `[tool.nnscaffold.contract."package.module:Class"]`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import CaseError
from .shapes import Shape, read_shape
from .targets import class_at_hand, close

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

_KINDS: dict[str, tuple[type, ...]] = {
    "args": (list,),
    "kwargs": (dict,),
    "inputs": (list, dict),
    "output-shape": (str,),
    "parameter-count": (int,),
    "torchscript": (bool,),
    "opt-out": (dict,),
}
_WORDS = {list: "an array", dict: "a table", str: "a string", int: "an integer", bool: "a boolean"}


@dataclass(frozen=True)
class Settings:
    """One module's table; what it does not state is None or empty.

    Attributes:
        args: The constructor's arguments by position; None where nothing is said of it.
        kwargs: Its arguments by name.
        inputs: A tuple or dictionary of forward's arguments, with a `Shape` for each tensor.
        output_shape: The output's.
        parameter_count: The number of parameter elements.
        torchscript: Whether the module promises to work with TorchScript.
        opt_out: Checks to leave out, with reasons.
    """

    args: tuple[Any, ...] | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)
    inputs: Any = None
    output_shape: Shape | None = None
    parameter_count: int | None = None
    torchscript: bool = False
    opt_out: dict[str, str] = field(default_factory=dict)


def read_settings(file: Path) -> dict[str, Settings]:
    """Read the tables of a pyproject.toml by the names of their modules; none without a file.

    Raises:
        CaseError: A key is unknown, or a value of the wrong kind.
    """
    try:
        table: Any = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CaseError(f"{file} cannot be read: {error}") from None
    for key in ("tool", "nnscaffold"):
        table = table.get(key, {}) if isinstance(table, Mapping) else {}
    for key in table if isinstance(table, Mapping) else ():
        if key != "contract" and close("contract", [key]):
            meant = "did you mean [tool.nnscaffold.contract]?"
            raise CaseError(f"{file.name}: nothing reads [tool.nnscaffold.{key}]; {meant}")
    table = table.get("contract", {}) if isinstance(table, Mapping) else {}
    if not isinstance(table, Mapping):
        raise CaseError(f"{file.name}: [tool.nnscaffold.contract] has to hold tables of modules")
    return {name: settings_of(name, entry) for name, entry in table.items()}


def by_class(settings: Mapping[str, Settings]) -> dict[type[nn.Module], Settings]:
    """The tables by the classes that are imported; a class may be imported from several places.

    Raises:
        CaseError: A table is of no class, in an imported module, or of no module.
    """
    found: dict[type[nn.Module], Settings] = {}
    for name, table in settings.items():
        try:
            kind = class_at_hand(name)
        except CaseError as error:
            raise CaseError(f'[tool.nnscaffold.contract."{name}"]: {error}') from None
        if kind is not None:
            found[kind] = table
    return found


def settings_of(name: str, entry: Any) -> Settings:
    """Read one table."""
    where = f'[tool.nnscaffold.contract."{name}"]'
    if ":" not in name or not isinstance(entry, dict):
        table = '[tool.nnscaffold.contract."package.module:Class"]'
        raise CaseError(f"{where} is not a module's table; write one like {table}")
    for key, value in entry.items():
        if key not in _KINDS:
            hint = "".join(f"did you mean {one!r}?" for one in close(key, _KINDS))
            hint = hint or f"the keys are {', '.join(_KINDS)}"
            raise CaseError(f"{where} has no key {key!r}; {hint}")
        if type(value) not in _KINDS[key]:
            wanted = " or ".join(_WORDS[kind] for kind in _KINDS[key])
            raise CaseError(f"{where}: {key} has to be {wanted}")
    try:
        inputs = shaped(entry.get("inputs"))
        output = entry.get("output-shape")
        output_shape = None if output is None else read_shape(output)
    except CaseError as error:
        raise CaseError(f"{where}: {error}") from None
    constructed = "args" in entry or "kwargs" in entry
    return Settings(
        args=tuple(entry.get("args", ())) if constructed else None,
        kwargs=entry.get("kwargs", {}),
        inputs=tuple(inputs) if isinstance(inputs, list) else inputs,
        output_shape=output_shape,
        parameter_count=entry.get("parameter-count"),
        torchscript=entry.get("torchscript", False),
        opt_out=entry.get("opt-out", {}),
    )


def shaped(tree: Any) -> Any:
    """The same with every string read as a shape; numbers and booleans are arguments themselves."""
    if isinstance(tree, str):
        return read_shape(tree)
    if isinstance(tree, list):
        return [shaped(value) for value in tree]
    if isinstance(tree, dict):
        return {key: shaped(value) for key, value in tree.items()}
    return tree
