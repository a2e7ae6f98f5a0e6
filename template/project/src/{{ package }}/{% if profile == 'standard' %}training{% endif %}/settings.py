"""Settings as plain values: read from a TOML file, kept in checkpoints, compared on a resume."""

import contextlib
import dataclasses
import tomllib
import traceback
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..command import InputError
from ..task.settings import DEFAULTS
from .config import TrainConfig

# Settings that had another name before version 0.4 of the template: files with it still load.
OLD_NAMES = {
    "accumulation": "grad_accum_steps",
    "data.batch_size": "batch_size",
    "data.test_share": "data.test_fraction",
    "data.validation_share": "data.val_fraction",
    "optimizer.clip_norm": "optimizer.max_grad_norm",
    "optimizer.warmup_share": "optimizer.warmup_ratio",
    "output": "output_dir",
}
# Settings of optional parts, with the values that need no such part.
LEFT_OUT = {"strategy": "ddp", "tracker": "none"}
CALLED = {int: "an integer", float: "a number", str: "a string", Path: "a path"}


def default_config() -> TrainConfig:
    """Return the settings of a run that changes none."""
    return config_from_values(DEFAULTS, source="task/settings.py")


def read_config(path: Path) -> TrainConfig:
    """Read a TOML file; what it leaves out keeps its default."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{path} is not a TOML file: {error}.") from error
    values = _renamed(values, source=str(path))
    return config_from_values(_merged(DEFAULTS, values), source=str(path))


def config_from_values(values: Mapping[str, Any], source: str) -> TrainConfig:
    """Make settings of plain values; ``source`` names them where one is refused."""
    try:
        config: TrainConfig = _convert(TrainConfig, _renamed(values, source), source, name="")
    except TypeError as error:
        raise InputError(f"task/settings.py: {error}.") from error
    return config


def config_to_values(config: TrainConfig) -> dict[str, Any]:
    """Make plain values of settings: dictionaries, lists, numbers, strings and None."""
    values: dict[str, Any] = _plain(config)
    return values


def require_round_trip(config: TrainConfig) -> None:
    """Refuse settings that a checkpoint could not bring back, before anything is trained."""
    back = config_from_values(config_to_values(config), source="task/settings.py")
    ours, theirs = (flatten(config_to_values(each)) for each in (config, back))
    changed = sorted(name for name in ours if ours[name] != theirs.get(name, ours))
    if changed or config != back:
        raise InputError(
            f"task/settings.py: a checkpoint would change {', '.join(changed) or 'a setting'}: use "
            f"numbers, strings, paths, and tuples, lists, dictionaries, dataclasses of these."
        )


@contextlib.contextmanager
def suitable_settings_expected(file: str) -> Iterator[None]:
    """Explain in one sentence that what a task's file makes cannot have these settings."""
    try:
        yield
    except (ArithmeticError, RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        if reason.startswith(file):
            # A place that a blank task has yet to fill.
            raise InputError(reason) from error
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise InputError(
            f"{file} does not take these settings: {reason} "
            f"({Path(place.filename).name}, line {place.lineno})"
        ) from error


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Name nested settings as on the command line: ``data.seed``."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _merged(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values, and the defaults of what they leave out, table by table."""
    merged = dict(defaults)
    for name, value in values.items():
        default = merged.get(name)
        if isinstance(default, Mapping) and isinstance(value, Mapping):
            merged[name] = _merged(default, value)
        else:
            merged[name] = value
    return merged


def _setting_names(kind: Any, prefix: str = "") -> Iterator[str]:
    for name, field in typing.get_type_hints(kind).items():
        yield prefix + name
        if dataclasses.is_dataclass(field):
            yield from _setting_names(field, f"{prefix}{name}.")


def _renamed(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    known = set(_setting_names(TrainConfig))
    renamed = {
        name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()
    }
    for old, new in OLD_NAMES.items():
        if old in known:  # A task of today may use the name.
            continue
        section, _, name = old.rpartition(".")
        old_table = renamed.get(section, {}) if section else renamed
        if not isinstance(old_table, dict) or name not in old_table:
            continue
        section, _, new_name = new.rpartition(".")
        new_table = renamed.setdefault(section, {}) if section else renamed
        if not isinstance(new_table, dict) or new_name in new_table:
            raise InputError(f"{source}: {old} is the old name of {new}: keep one of them.")
        new_table[new_name] = old_table.pop(name)
    for name, value in LEFT_OUT.items():
        # Recorded where the part was chosen, as it was in every repository before 0.4.
        if name not in known and renamed.get(name) == value:
            del renamed[name]
    return renamed


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {
            field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def _convert(kind: Any, value: Any, source: str, name: str) -> Any:
    """Return the value as the setting's type; refuse one that would lose something.

    Raises:
        TypeError: settings cannot have this type
    """
    if dataclasses.is_dataclass(kind):
        return _build(kind, value, source, name)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _convert_to_any(arguments, value, source, name)
    if origin is typing.Literal:
        if value not in arguments:
            choices = " or ".join(map(str, arguments))
            raise InputError(f"{source}: {name} must be {choices}; it is {value!r}.")
        return value
    if kind in (tuple, list, dict) or origin in (tuple, list, dict):
        return _convert_items(origin or kind, arguments, value, source, name)
    if kind is type(None):
        if value is not None:
            raise InputError(f"{source}: {name} must be left out; it is {value!r}.")
        return None
    if kind is bool:
        if not isinstance(value, bool):
            raise InputError(f"{source}: {name} must be true or false; it is {value!r}.")
        return value
    if kind not in CALLED:
        raise TypeError(f"{name} has the type {kind}, which settings cannot have")
    accepted = {int: (int,), float: (int, float), str: (str,), Path: (str, Path)}[kind]
    # A bool is an int to Python, but `epochs = true` is a slip.
    if not isinstance(value, accepted) or isinstance(value, bool):
        raise InputError(f"{source}: {name} must be {CALLED[kind]}; it is {value!r}.")
    try:
        return kind(value)
    except OverflowError:
        raise InputError(f"{source}: {name} is too large.") from None


def _build(kind: Any, value: Any, source: str, name: str) -> Any:
    if not isinstance(value, Mapping):
        raise InputError(f"{source}: {name} must be a table of settings; it is {value!r}.")
    prefix = f"{name}." if name else ""
    known = typing.get_type_hints(kind)
    for each in value:
        if each not in known:
            there = ", ".join(prefix + one for one in known)
            raise InputError(f"{source}: there is no setting {prefix}{each}; there are {there}.")
    return kind(
        **{
            each: _convert(known[each], given, source, prefix + each)
            for each, given in value.items()
        }
    )


def _convert_to_any(kinds: tuple[Any, ...], value: Any, source: str, name: str) -> Any:
    """Convert to the first of several types that takes the value as it is."""
    first: InputError | None = None
    # An integer is a float too, and a path a string: what fits exactly comes first.
    for kind in sorted(kinds, key=lambda kind: type(value) is not kind):
        try:
            return _convert(kind, value, source, name)
        except InputError as error:
            first = first or error
    raise first or TypeError(f"{name} has no type")


def _convert_items(
    kind: Any,
    arguments: tuple[Any, ...],
    value: Any,
    source: str,
    name: str,
) -> Any:
    if not arguments:
        raise TypeError(f"{name} does not say what is in it: write {kind.__name__}[...]")
    if kind is dict:
        if not isinstance(value, Mapping):
            raise InputError(f"{source}: {name} must be a table; it is {value!r}.")
        return {
            _convert(arguments[0], key, source, name): _convert(
                arguments[1], each, source, f"{name}.{key}"
            )
            for key, each in value.items()
        }
    if not isinstance(value, list | tuple):
        raise InputError(f"{source}: {name} must be a list; it is {value!r}.")
    if kind is list or arguments[-1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(arguments) != len(value):
        raise InputError(f"{source}: {name} must have {len(arguments)} items; it is {value!r}.")
    pairs = zip(arguments, value, strict=True)
    return kind(
        _convert(one, each, source, f"{name}[{number}]") for number, (one, each) in enumerate(pairs)
    )
