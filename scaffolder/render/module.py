"""One module, rendered from its template by Jinja2 alone.

Importing Copier takes half a second, more than all the rest of `new layer` together. What is
rendered here is what Copier would render, byte for byte; a template that uses what only Copier
offers is left to Copier (`NeedsCopier`).
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
import yaml
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing

from scaffolder.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scaffolder.project import Project
    from scaffolder.spec import ModuleSpec

# Settings of a template under which Jinja2 alone gives what Copier gives.
_KNOWN_SETTINGS = frozenset(
    (
        "_min_copier_version",
        "_subdirectory",
        "_answers_file",
        "_message_before_copy",
        "_message_after_copy",
        "_message_before_update",
        "_message_after_update",
    )
)
_SUFFIX = ".jinja"
_FOR_EACH_MODULE = re.compile(
    r"{%-?\s*yield\s+module\s+from\s+(.+?)\s*-?%}(.*?){%-?\s*endyield\s*-?%}"
)


class NeedsCopier(Exception):
    """This template, or these answers, can be rendered by Copier only."""


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
        NeedsCopier: The template is beyond Jinja2 alone.
        BadInput: The template is broken.
    """
    root = _plain_root(template, project.answers)
    environment = _environment(template)
    answers = {key: value for key, value in project.answers.items() if not key.startswith("_")}
    before = [known.to_entry() for known in project.modules]
    new: dict[PurePosixPath, str] = {}
    changed: dict[PurePosixPath, tuple[str, str]] = {}
    try:
        for name, source in _sources(root):
            if loop := _FOR_EACH_MODULE.search(name):
                chosen = environment.compile_expression(loop[1])(modules=[module.to_entry()])
                if list(chosen or ()):
                    path = _FOR_EACH_MODULE.sub(lambda found: found[2], name)
                    values = answers | {"modules": [*before, module.to_entry()]}
                    values["module"] = module.to_entry()
                    new[_path(environment, path, values)] = _text(environment, source, values)
            else:
                without = answers | {"modules": before}
                values = answers | {"modules": [*before, module.to_entry()]}
                texts = [_text(environment, source, each) for each in (without, values)]
                if texts[0] != texts[1]:
                    changed[_path(environment, name, values)] = (texts[0], texts[1])
    except jinja2.TemplateError as error:
        raise BadInput(
            "template-broken",
            f"The template {project.source} cannot be rendered: {error}.",
            "Mend it, or update the repository to a version that can.",
        ) from error
    return Rendered(new, changed)


def _plain_root(template: Path, answers: dict[str, Any]) -> Path:
    """The folder below which a template's files lie, if Jinja2 alone can render them."""
    try:
        config = yaml.load((template / "copier.yml").read_text(encoding="utf-8"), Loader=_LOADER)
    except (OSError, yaml.YAMLError) as error:
        raise NeedsCopier("its copier.yml") from error
    settings = {key for key in config if key.startswith("_")}
    if unknown := settings - _KNOWN_SETTINGS:
        raise NeedsCopier(f"the settings {sorted(unknown)}")
    # A question that left no answer (`when: false`, a secret) still has a value inside Copier.
    if unrecorded := config.keys() - settings - answers.keys():
        raise NeedsCopier(f"the unrecorded answers {sorted(unrecorded)}")
    subdirectory = str(config.get("_subdirectory", ""))
    if "{" in subdirectory:
        raise NeedsCopier("a computed subdirectory")
    return template / subdirectory


def _sources(root: Path) -> Iterator[tuple[str, str]]:
    """The template files that depend on the manifest: names below the root, and texts."""
    for path in sorted(root.rglob(f"*{_SUFFIX}")):
        if path.is_file():
            name = path.relative_to(root).as_posix().removesuffix(_SUFFIX)
            text = path.read_text(encoding="utf-8")
            if "modules" in name or ("modules" in text and "_copier_answers" not in text):
                yield name, text


def _environment(template: Path) -> SandboxedEnvironment:
    return SandboxedEnvironment(
        loader=_InsideOnly(template),
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
        keep_trailing_newline=True,
        undefined=_Undefined,
    )


def _text(environment: SandboxedEnvironment, source: str, values: dict[str, Any]) -> str:
    return environment.from_string(source).render(values)


def _path(environment: SandboxedEnvironment, name: str, values: dict[str, Any]) -> PurePosixPath:
    path = PurePosixPath(_text(environment, name, values))
    if path.is_absolute() or ".." in path.parts:
        raise BadInput(
            "template-broken",
            f"The template writes outside the repository, to {path}.",
            "Do not use this template.",
        )
    return path


class _Undefined(jinja2.Undefined):
    """Copier's own variables (`_copier_conf`, `_folder_name` …) are not known here."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        is_variable = self._undefined_obj is missing
        if is_variable and str(self._undefined_name).startswith("_"):
            raise NeedsCopier(f"the variable {self._undefined_name}")


class _InsideOnly(jinja2.FileSystemLoader):
    """Loads a template's own files only, not what a link in it points to elsewhere."""

    def get_source(self, environment: jinja2.Environment, template: str) -> Any:
        root = Path(self.searchpath[0]).resolve()
        if not (root / template).resolve().is_relative_to(root):
            raise jinja2.TemplateNotFound(template)
        return super().get_source(environment, template)


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
