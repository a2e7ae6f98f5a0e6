"""One module, rendered from its template by Jinja2 alone.

Importing Copier takes half a second, more than all the rest of `new layer`. What is rendered here
is what Copier renders, byte for byte, of a template that follows the convention: a kind's files
are `module.py.jinja` and `test.py.jinja`, the files in `_CONVENTION` put them into the repository,
and no other file reads the manifest. All else, every error included, is left to Copier
(`NeedsCopier`), which decides and explains. Recorded answers are taken to be valid.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
import yaml
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing

from scaffolder.project import ANSWERS_FILE

if TYPE_CHECKING:
    from scaffolder.project import Project
    from scaffolder.spec import ModuleSpec

_PROJECT = "template/project"
_PACKAGE = f"{_PROJECT}/src/{{{{ package }}}}"
_LOOP = (
    '{%% yield module from modules | selectattr("role", "equalto", "%s") %%}'
    "{{ module.file }}{%% endyield %%}.py.jinja"
)
_INCLUDE = "{%% include 'template/kinds/' ~ module.kind ~ '/%s.py.jinja' -%%}\n"
# The files that may read the manifest, those of modules with their text.
_CONVENTION: dict[str, str | None] = {
    f"{_PROJECT}/{{{{ _copier_conf.answers_file }}}}.jinja": None,
    f"{_PACKAGE}/layers/__init__.py.jinja": None,
    f"{_PACKAGE}/models/__init__.py.jinja": None,
    f"{_PACKAGE}/layers/{_LOOP % 'layer'}": _INCLUDE % "module",
    f"{_PACKAGE}/models/{_LOOP % 'model'}": _INCLUDE % "module",
    f"{_PROJECT}/tests/layers/test_{_LOOP % 'layer'}": _INCLUDE % "test",
    f"{_PROJECT}/tests/models/test_{_LOOP % 'model'}": _INCLUDE % "test",
}
# Settings of a template under which Jinja2 alone gives what Copier gives.
_KNOWN_SETTING = re.compile(
    r"_(?:min_copier_version|subdirectory|answers_file|exclude|skip_if_exists"
    r"|message_(?:before|after)_(?:copy|update))"
)
# In a Jinja tag, a name that holds the manifest or may; or an include of a file that is not read
# here. Prose may speak of modules.
_READS_MANIFEST = re.compile(
    r"""\{[{%](?:"[^"]*"|'[^']*'|(?![%}]\})[^"'])*?\b(?:modules|yield|_copier_\w+)\b"""
    r"""|\{%[-+]?\s*(?:include|import|from|extends)\b(?!\s*'template/(?!project/)\w+/)"""
)


class NeedsCopier(Exception):
    """This template, or these answers, are left to Copier."""


class Rendered(NamedTuple):
    """What one more module means for a repository's files.

    Attributes:
        new: The module's own files.
        changed: Files that list modules, as they are generated without and with the new one.
    """

    new: dict[PurePosixPath, str]
    changed: dict[PurePosixPath, tuple[str, str]]


def render_module(template: Path, project: Project, module: ModuleSpec) -> Rendered:
    """Render what a module adds to a repository, from the repository's recorded answers.

    Args:
        template: A checkout of the template version that the repository records.
        project: The repository.
        module: The module, not yet in the repository's manifest.

    Raises:
        NeedsCopier: The template does not follow the convention, or is broken.
    """
    try:
        config = _read_config(template)
        answers = _answers(config, project.answers)
        environment = _environment(template, _require_convention(template))

        def render(name: str, **values: Any) -> str:
            return environment.get_template(name).render(answers | values)

        kind, folder, package = (
            f"template/kinds/{module.kind}",
            f"{module.role}s",
            answers["package"],
        )
        if not package.isidentifier():
            raise NeedsCopier(f"the package {package}")
        entry, others = module.to_entry(), [known.to_entry() for known in project.modules]
        code, tests = PurePosixPath("src", package, folder), PurePosixPath("tests", folder)
        index = f"{_PACKAGE}/{folder}/__init__.py.jinja"
        new = {
            code / f"{module.file}.py": render(f"{kind}/module.py.jinja", module=entry),
            tests / f"test_{module.file}.py": render(f"{kind}/test.py.jinja", module=entry),
        }
        excluded = [
            line
            for pattern in config.get("_exclude", [])
            for line in environment.from_string(pattern).render(answers).splitlines()
        ]
        for path in (*new, code / "__init__.py"):
            _require_included(path, excluded)
        before, after = (render(index, modules=each) for each in (others, [*others, entry]))
        return Rendered(new, {code / "__init__.py": (before, after)})
    except NeedsCopier:
        raise
    except Exception as error:
        raise NeedsCopier(f"{type(error).__name__}: {error}") from error


def _read_config(template: Path) -> dict[str, Any]:
    """A template's questions and settings, if all its settings are plain."""
    if [path.name for path in template.glob("copier.*")] != ["copier.yml"]:
        raise NeedsCopier("its configuration file")
    text = (template / "copier.yml").read_text(encoding="utf-8")
    config: dict[str, Any] = yaml.load(text, Loader=_LOADER)
    for key in config:
        if key.startswith("_") and not _KNOWN_SETTING.fullmatch(key):
            raise NeedsCopier(f"the setting {key}")
    is_known = config["_subdirectory"] == _PROJECT and "modules" in config
    if not is_known or config.get("_answers_file", ANSWERS_FILE) != ANSWERS_FILE:
        raise NeedsCopier("the names of its files or questions")
    return config


def _require_included(path: PurePosixPath, patterns: list[str]) -> None:
    """Leave to Copier what may be excluded: any pattern that matches at all, or floats."""
    places = [f"/{place}" for place in (path, *path.parents)]
    for pattern in patterns:
        matches = any(fnmatchcase(place, pattern.rstrip("/")) for place in places)
        if not pattern.startswith("/") or matches:
            raise NeedsCopier(f"the exclusion {pattern}")


def _answers(config: dict[str, Any], recorded: dict[str, Any]) -> dict[str, Any]:
    """What the template's files see of the answers, without the manifest.

    A question that was not asked has its default, as in Copier. An answer that Copier would compute
    or cast is left out: a file that reads it is left to Copier.
    """
    values = {key: value for key, value in recorded.items() if not key.startswith("_")}
    for key, question in config.items():
        if not key.startswith("_"):
            details = question if isinstance(question, dict) else {"default": question}
            value = values.setdefault(key, details.get("default"))
            is_computed = key not in recorded and "{" in str(value)
            if is_computed or not _is_of_its_type(details, value):
                del values[key]
    values.pop("modules", None)
    return values


def _is_of_its_type(question: dict[str, Any], value: Any) -> bool:
    wanted = question.get("type") or type(question.get("default")).__name__
    several = question.get("multiselect")
    if several and not isinstance(value, list):
        return False
    found = {type(each).__name__ for each in (value if several else [value])}
    return found <= {wanted} or (wanted in ("yaml", "json") and "str" not in found)


def _require_convention(template: Path) -> set[str]:
    """Make sure that only the files of the convention read the manifest; return all files."""
    for name, text in _CONVENTION.items():
        if (template / name).stat().st_mode & 0o111:
            raise NeedsCopier(f"{name}, which is executable")
        if text is not None and (template / name).read_bytes() != text.encode():
            raise NeedsCopier(f"the text of {name}")
    folders = {name.rpartition("/")[0] for name in _CONVENTION} - {_PROJECT}
    names = set()
    for folder, subfolders, files in os.walk(template / "template"):
        if links := [each for each in subfolders + files if os.path.islink(f"{folder}/{each}")]:
            raise NeedsCopier(f"the link {links[0]}")
        names |= {Path(folder, file).relative_to(template).as_posix() for file in files}
    for name in names - _CONVENTION.keys():
        # Another file in a folder of modules could take a module's place.
        is_in_the_way = name.rpartition("/")[0] in folders and not name.endswith("/__init__.py")
        is_copied = name.startswith(f"{_PROJECT}/") and not name.endswith(".jinja")
        text = "" if is_copied else (template / name).read_text(encoding="utf-8")
        if is_in_the_way or _READS_MANIFEST.search(name) or _READS_MANIFEST.search(text):
            raise NeedsCopier(f"the file {name}")
    return names


def _environment(template: Path, files: set[str]) -> SandboxedEnvironment:
    def load(name: str) -> str:
        if name not in files:  # Copier's copy of a template has more files: those of git.
            raise NeedsCopier(f"the file {name}")
        return (template / name).read_text(encoding="utf-8")

    return SandboxedEnvironment(
        loader=jinja2.FunctionLoader(load),
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
        keep_trailing_newline=True,
        undefined=_Undefined,
    )


class _Undefined(jinja2.Undefined):
    """A variable that is missing here may be one that Copier has, such as `_copier_conf`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if self._undefined_obj is missing:
            raise NeedsCopier(f"the variable {self._undefined_name}")


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
