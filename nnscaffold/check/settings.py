"""The settings: `[tool.nnscaffold.check]` of a `pyproject.toml`.

One check has one set of settings. They come from the nearest `pyproject.toml` with that table, at
or above the folder that holds everything that is checked; the search ends with the folder that has
a `.git`. So the folder from which the command runs does not matter. A table that nothing reads is
an error wherever the search comes by: else it would silently have no effect.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnscaffold.check.errors import BadRequest, closest
from nnscaffold.check.patterns import matches
from nnscaffold.check.selection import ALL, enabled, parse_selectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TABLE = "tool.nnscaffold.check"
# What else may stand beside it: the tables of modules, which the suite of tests reads.
_TABLES = ("check", "contract")
_KEYS = (
    "select",
    "extend-select",
    "ignore",
    "exclude",
    "per-file-ignores",
    "module-roots",
    "baseline",
)


@dataclass(frozen=True)
class Settings:
    """How to check.

    Attributes:
        root: The folder that patterns of files and names of modules are relative to: that of
            `pyproject.toml`; without one, the folder that holds what is checked.
        select: The rules that are on, by code, prefix, name or `ALL`; None: the default ones.
        extend_select: Further rules that are on.
        ignore: Rules that are off.
        exclude: Patterns of files and folders that are not checked.
        per_file_ignores: Patterns of files, each with rules that are off there.
        module_roots: Dotted names of further classes whose subclasses are modules.
        baseline: A file with findings that are not reported.
    """

    root: Path = field(default_factory=Path.cwd)
    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    module_roots: tuple[str, ...] = ()
    baseline: Path | None = None

    def __post_init__(self) -> None:
        """Take the names of rules as somebody wrote them, and raise BadRequest for wrong ones."""
        # The class is frozen for everybody else.
        for name in ("select", "extend_select", "ignore"):
            if (words := getattr(self, name)) is not None:
                object.__setattr__(self, name, parse_selectors(words, f"`{name}`"))
        exceptions = tuple(
            (pattern, parse_selectors(words, "`per_file_ignores`"))
            for pattern, words in self.per_file_ignores
        )
        object.__setattr__(self, "per_file_ignores", exceptions)

    def relative(self, path: str | Path) -> str:
        """A path relative to the root, with `/`."""
        return Path(os.path.relpath(path, self.root)).as_posix()

    def excludes(self, path: str | Path) -> bool:
        """Whether `exclude` means a file or folder."""
        return bool(self.exclude) and matches(self.relative(path), self.exclude)

    def enabled(self, path: str | Path) -> frozenset[str]:
        """The codes of the rules that are on in a file."""
        on = enabled(self.select, self.extend_select, self.ignore)
        if not self.per_file_ignores:
            return on
        relative = self.relative(path)
        off = [codes for pattern, codes in self.per_file_ignores if matches(relative, [pattern])]
        # However precisely a rule is selected, it is off where this file is excepted from it.
        return on & enabled((ALL,), (), tuple(code for codes in off for code in codes))

    def with_options(
        self,
        select: Iterable[str] = (),
        extend_select: Iterable[str] = (),
        ignore: Iterable[str] = (),
    ) -> Settings:
        """These settings with the options of a command line.

        `select` there takes the place of the settings' own `select`, `extend-select` and `ignore`.
        """
        chosen = parse_selectors(select, "`--select`")
        further = parse_selectors(extend_select, "`--extend-select`")
        off = parse_selectors(ignore, "`--ignore`")
        base = replace(self, select=chosen, extend_select=(), ignore=()) if chosen else self
        return replace(
            base,
            extend_select=(*base.extend_select, *further),
            ignore=(*base.ignore, *off),
        )


def load_settings(paths: Sequence[str | Path]) -> Settings:
    """The settings for a check of these files and folders.

    Raises:
        BadRequest: A `pyproject.toml` cannot be read, or a setting is not one.
    """
    start = _common_folder(paths)
    nearest = None
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if os.path.isfile(file):  # unlike `Path.is_file`, not an error where it cannot be seen
            nearest = nearest or folder
            table = _read_table(file)  # also where another one counts: it may be misspelt
            if table is not None:
                return _parse(file, table)
        if os.path.exists(folder / ".git"):
            break
    return Settings(root=nearest or _outside_packages(start))


def _common_folder(paths: Sequence[str | Path]) -> Path:
    folders = [os.path.abspath(path) for path in paths] or [os.getcwd()]
    common = Path(os.path.commonpath(folders))
    return common if os.path.isdir(common) else common.parent


def _outside_packages(folder: Path) -> Path:
    while os.path.isfile(folder / "__init__.py") and folder != folder.parent:
        folder = folder.parent
    return folder


def _read_table(file: Path) -> dict[str, Any] | None:
    try:
        found: Any = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRequest(
            "settings-unreadable",
            f"{file} cannot be read: {error.strerror}.",
            "Make it readable.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(
            "settings-malformed", f"{file} is not valid TOML: {error}.", "Correct it."
        ) from error
    tools = found.get("tool")
    if not isinstance(tools, dict):
        return None
    ours = tools.get("nnscaffold", {})
    if not isinstance(ours, dict):
        raise _wrong_type(file, "tool.nnscaffold", f"a table: [{TABLE}]")
    _refuse_unknown_tables(file, tools, ours)
    table = ours.get("check")
    if table is not None and not isinstance(table, dict):
        raise _wrong_type(file, TABLE, f"a table: [{TABLE}]")
    return table


def _refuse_unknown_tables(file: Path, tools: dict[str, Any], ours: dict[str, Any]) -> None:
    for name, value in tools.items():
        # Tools may have similar names, but hardly similar tables in their tables.
        alike = isinstance(value, dict) and value.keys() & set(_TABLES) and name != "nnscaffold"
        if alike and (question := closest(name, ["nnscaffold"], cutoff=0.9)):
            raise BadRequest("setting-unknown", f"{file} has a table [tool.{name}].", question)
    for name in ours:
        if name in _KEYS:
            raise BadRequest(
                "setting-unknown",
                f"{file} has the key `{name}` in [tool.nnscaffold].",
                f"Put it into [{TABLE}].",
            )
        if name not in _TABLES:
            raise BadRequest(
                "setting-unknown",
                f"{file} has an unknown table [tool.nnscaffold.{name}].",
                closest(name, _TABLES)
                or f"The tables are {', '.join(f'[tool.nnscaffold.{each}]' for each in _TABLES)}.",
            )


def _parse(file: Path, table: dict[str, Any]) -> Settings:
    for key in table:
        if key not in _KEYS:
            raise BadRequest(
                "setting-unknown",
                f"{file} has an unknown key `{key}` in [{TABLE}].",
                closest(key.lower().replace("_", "-"), _KEYS)
                or f"The keys are {', '.join(_KEYS)}.",
            )

    def strings(key: str) -> tuple[str, ...]:
        return _strings(file, key, table.get(key, []))

    def selectors(key: str) -> tuple[str, ...]:
        return parse_selectors(strings(key), f"{file}: `{key}`")

    exceptions = table.get("per-file-ignores", {})
    if not isinstance(exceptions, dict):
        raise _wrong_type(file, "per-file-ignores", 'a table: {"tests/**" = ["NN1"]}')
    _refuse_patterns(file, "per-file-ignores", exceptions)
    _refuse_patterns(file, "exclude", strings("exclude"))
    baseline = table.get("baseline")
    if baseline is not None and not (isinstance(baseline, str) and baseline):
        raise _wrong_type(file, "baseline", "the name of a file, relative to this one")
    return Settings(
        root=file.parent,
        select=selectors("select") if "select" in table else None,
        extend_select=selectors("extend-select"),
        ignore=selectors("ignore"),
        exclude=strings("exclude"),
        per_file_ignores=tuple(
            (
                pattern,
                parse_selectors(
                    _strings(file, f"per-file-ignores.{pattern}", codes),
                    f"{file}: `per-file-ignores`",
                ),
            )
            for pattern, codes in exceptions.items()
        ),
        module_roots=_dotted_names(file, strings("module-roots")),
        baseline=file.parent / baseline if baseline else None,
    )


def _strings(file: Path, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _wrong_type(file, key, "a list of strings")
    return tuple(value)


def _refuse_patterns(file: Path, key: str, patterns: Iterable[str]) -> None:
    """Patterns that no file matches, however it is called."""
    for pattern in patterns:
        if not pattern.strip() or pattern.startswith("/"):
            raise BadRequest(
                "setting-invalid",
                f"{file}: `{key}` has the pattern `{pattern}`, which means no file.",
                "Write a name, or a path relative to this file: `vendor`, `src/generated/**`.",
            )


def _dotted_names(file: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise BadRequest(
                "setting-invalid",
                f"{file}: `module-roots` names `{name}`, which is not the name of a class.",
                "Write it as it is imported: `package.module.Class`.",
            )
    return names


def _wrong_type(file: Path, key: str, expected: str) -> BadRequest:
    return BadRequest(
        "setting-invalid", f"{file} has a value of the wrong type: `{key}`.", f"Write {expected}."
    )
