"""Settings as plain values: read from a TOML file, kept in checkpoints."""

import dataclasses
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .config import TrainConfig
from .errors import InputError


def read_config(path: Path) -> TrainConfig:
    """Read a TOML file; what it leaves out keeps its default."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{path} is no TOML file: {error}.") from error
    return config_from_values(values, source=str(path))


def config_from_values(values: Mapping[str, Any], source: str) -> TrainConfig:
    """Make settings of plain values; ``source`` names them where one is refused."""
    return _build(TrainConfig, values, source, section="")


def config_to_values(config: TrainConfig) -> dict[str, Any]:
    """Make plain values of settings: nested dictionaries of numbers and texts."""
    values = dataclasses.asdict(config)
    values["output"] = str(config.output)
    return values


def _build(kind: type[Any], values: Mapping[str, Any], source: str, section: str) -> Any:
    types = typing.get_type_hints(kind)
    for name in values:
        if name not in types:
            raise InputError(
                f"{source}: there is no setting {section}{name}; there are "
                f"{', '.join(section + known for known in types)}."
            )
    return kind(
        **{
            name: _convert(types[name], value, source, section + name)
            for name, value in values.items()
        }
    )


def _convert(kind: Any, value: Any, source: str, name: str) -> Any:
    """Return the value as the setting's type; refuse one that would lose something."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise InputError(f"{source}: {name} must be a table of settings; it is {value!r}.")
        return _build(kind, value, source, section=f"{name}.")
    if typing.get_origin(kind) is typing.Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            raise InputError(f"{source}: {name} must be {' or '.join(choices)}; it is {value!r}.")
        return value
    if kind is bool:
        if not isinstance(value, bool):
            raise InputError(f"{source}: {name} must be true or false; it is {value!r}.")
        return value
    accepted = {int: (int,), float: (int, float), str: (str,), Path: (str,)}[kind]
    # A bool is an int to Python, but `epochs = true` is a slip.
    if not isinstance(value, accepted) or isinstance(value, bool):
        called = {int: "a whole number", float: "a number"}.get(kind, "a text")
        raise InputError(f"{source}: {name} must be {called}; it is {value!r}.")
    try:
        return kind(value)
    except OverflowError:
        raise InputError(f"{source}: {name} is too large.") from None
