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

from ..command import InputError, require
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
# By the type of a setting: which values it takes, and what they are called.
FORMS: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "an integer"),
    float: ((int, float), "a number"),
    str: ((str,), "a string"),
    Path: ((str, Path), "a path"),
}


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
    return config_from_values(values, source=str(path), defaults=DEFAULTS)


def config_from_values(
    values: Mapping[str, Any],
    source: str,
    defaults: Mapping[str, Any] = {},
) -> TrainConfig:
    """Make settings of plain values; ``source`` names them where one is refused."""
    try:
        return _convert(TrainConfig, _merged(defaults, _renamed(values)), name="")
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    except TypeError as error:
        raise InputError(f"task/settings.py: {error}.") from error


def config_to_values(config: TrainConfig) -> dict[str, Any]:
    """Make plain values of settings: dictionaries, lists, numbers, strings and None."""
    return _plain(dataclasses.asdict(config))


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
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
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


def _renamed(values: Mapping[str, Any]) -> dict[str, Any]:
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
            raise InputError(f"{old} is the old name of {new}: keep one of them.")
        new_table[new_name] = old_table.pop(name)
    for name, value in LEFT_OUT.items():
        # Recorded where the part was chosen, as it was in every repository before 0.4.
        if name not in known and renamed.get(name) == value:
            del renamed[name]
    return renamed


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def _convert(kind: Any, value: Any, name: str) -> Any:
    """Return the value as the setting's type; refuse one that would lose something.

    Raises:
        TypeError: settings cannot have this type
    """
    if dataclasses.is_dataclass(kind):
        return _build(kind, value, name)
    origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _convert_to_any(arguments, value, name)
    if origin is typing.Literal:
        require(value in arguments, name, repr(value), " or ".join(map(str, arguments)))
        return value
    if origin in (tuple, list, dict):
        return _convert_items(origin, arguments, value, name)
    if kind is type(None):
        require(value is None, name, repr(value), "left out")
        return None
    if kind not in FORMS:
        raise TypeError(f"{name} has the type {kind}, which settings cannot have")
    accepted, called = FORMS[kind]
    # A bool is an int to Python, but `epochs = true` is a slip.
    fits = isinstance(value, accepted) and isinstance(value, bool) == (kind is bool)
    require(fits, name, repr(value), called)
    try:
        return kind(value)
    except OverflowError:
        raise InputError(f"{name} is too large.") from None


def _build(kind: Any, value: Any, name: str) -> Any:
    require(isinstance(value, Mapping), name, repr(value), "a table of settings")
    prefix = f"{name}." if name else ""
    known = typing.get_type_hints(kind)
    for each in value:
        if each not in known:
            there = ", ".join(prefix + one for one in known)
            raise InputError(f"there is no setting {prefix}{each}; there are {there}.")
    return kind(**{each: _convert(known[each], value[each], prefix + each) for each in value})


def _convert_to_any(kinds: tuple[Any, ...], value: Any, name: str) -> Any:
    """Convert to the first of several types that takes the value as it is."""
    first: InputError | None = None
    # An integer is a float too, and a path a string: what fits exactly comes first.
    for kind in sorted(kinds, key=lambda kind: type(value) is not kind):
        try:
            return _convert(kind, value, name)
        except InputError as error:
            first = first or error
    raise first or TypeError(f"{name} has no type")


def _convert_items(kind: Any, arguments: tuple[Any, ...], value: Any, name: str) -> Any:
    if not arguments:
        raise TypeError(f"{name} does not say what is in it: write {kind.__name__}[...]")
    if kind is dict:
        require(isinstance(value, Mapping), name, repr(value), "a table")
        of_key, of_value = arguments
        return {
            _convert(of_key, key, name): _convert(of_value, each, f"{name}.{key}")
            for key, each in value.items()
        }
    require(isinstance(value, list | tuple), name, repr(value), "a list")
    if kind is list or arguments[-1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(arguments) != len(value):
        raise InputError(f"{name} must have {len(arguments)} items; it is {value!r}.")
    pairs = enumerate(zip(arguments, value, strict=True))
    return kind(_convert(one, each, f"{name}[{number}]") for number, (one, each) in pairs)
