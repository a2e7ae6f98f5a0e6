"""The settings: `[tool.nnscaffold.check]` of a `pyproject.toml`.

One check has one set of settings. They come from the nearest `pyproject.toml` with that table, at
or above the folder that holds everything that is checked; the search ends with the folder that has
a `.git`. So the folder from which the command runs does not matter.
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
        if file.is_file():
            nearest = nearest or folder
            table = _read_table(file)
            if table is not None:
                return _parse(file, table)
        if (folder / ".git").exists():
            break
    return Settings(root=nearest or _outside_packages(start))


def _common_folder(paths: Sequence[str | Path]) -> Path:
    folders = [os.path.abspath(path) for path in paths] or [os.getcwd()]
    common = Path(os.path.commonpath(folders))
    return common if common.is_dir() else common.parent


def _outside_packages(folder: Path) -> Path:
    while (folder / "__init__.py").is_file() and folder != folder.parent:
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
    for name in TABLE.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    if found is not None and not isinstance(found, dict):
        raise _wrong_type(file, TABLE, "a table")
    return found


def _parse(file: Path, table: dict[str, Any]) -> Settings:
    for key in table:
        if key not in _KEYS:
            raise BadRequest(
                "setting-unknown",
                f"{file} has an unknown key `{key}` in [{TABLE}].",
                closest(key, _KEYS) or f"The keys are {', '.join(_KEYS)}.",
            )

    def strings(key: str) -> tuple[str, ...]:
        return _strings(file, key, table.get(key, []))

    def selectors(key: str) -> tuple[str, ...]:
        return parse_selectors(strings(key), f"{file}: `{key}`")

    exceptions = table.get("per-file-ignores", {})
    if not isinstance(exceptions, dict):
        raise _wrong_type(file, "per-file-ignores", 'a table: {"tests/**" = ["NN1"]}')
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
