"""One module, rendered from its template by Jinja2 alone.

Importing Copier takes half a second, more than all the rest of `new layer` together. What is
rendered here is what Copier would render, byte for byte. A template is taken only if all of it
has a form that is known to come out the same; everything else, every error included, is left to
Copier (`NeedsCopier`), which decides and explains. Recorded answers are taken to be valid.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
import yaml
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing

from scaffolder.project import ANSWERS_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scaffolder.project import Project
    from scaffolder.spec import ModuleSpec

# Settings of a template under which Jinja2 alone gives what Copier gives.
_KNOWN_SETTING = re.compile(
    r"_(?:min_copier_version|subdirectory|answers_file|skip_if_exists|message_(?:before|after)_(?:copy|update))"
)
_FILE_OF_EACH_MODULE = re.compile(
    r"(?P<start>[^{}]*)"
    r'{% yield module from modules \| selectattr\("role", "equalto", "(?P<role>\w+)"\) %}'
    r"(?P<before>[^{}]*){{ module\.file }}(?P<after>[^{}]*){% endyield %}"
    r"(?P<end>[^{}]*)\.jinja"
)
_IF_ANOTHER = re.compile(r"{{ (?P<other>\w+) }}")
_FILE_OF_ANSWERS = re.compile(r"{{ ?_copier_conf\.answers_file ?}}\.jinja")
_TEXT_BY_KIND = re.compile(r"{% include '([^'\\]+)' ~ module\.kind ~ '([^'\\]+)' -?%}\s*")
_OTHER_NAMES = re.compile(r"modules|yield|include|import|extends")
# Inside a tag: prose may speak of modules as it likes.
_LISTS_MODULES = re.compile(
    r"\{[{%](?:(?![%}]\}).)*\bmodules\b|\{%[-+]?\s*(?:include|import|from|extends)\b", re.DOTALL
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
        NeedsCopier: The template is beyond Jinja2 alone, or broken.
    """
    try:
        template = template.resolve()
        config = _plain_config(template)
        answers = _values(config, project.answers)
        root = _plain_root(template, config)
        return _Rendering(template, answers, project, module).of_files_in(root)
    except NeedsCopier:
        raise
    except Exception as error:
        raise NeedsCopier(f"{type(error).__name__}: {error}") from error


def _plain_config(template: Path) -> dict[str, Any]:
    """A template's settings and questions, if all its settings are plain."""
    if [path.name for path in template.glob("copier.*")] != ["copier.yml"]:
        raise NeedsCopier("its configuration file")
    text = (template / "copier.yml").read_text(encoding="utf-8")
    config: dict[str, Any] = yaml.load(text, Loader=_LOADER)
    settings = {key for key in config if key.startswith("_")}
    if unknown := [key for key in settings if not _KNOWN_SETTING.fullmatch(key)]:
        raise NeedsCopier(f"the settings {sorted(unknown)}")
    return config


def _plain_root(template: Path, config: dict[str, Any]) -> Path:
    """The folder below which a template's files lie."""
    if config.get("_answers_file", ANSWERS_FILE) != ANSWERS_FILE:
        raise NeedsCopier("the name of its answers file")
    # Without a folder of their own, the files are subject to Copier's list of exclusions.
    subdirectory = config.get("_subdirectory", "")
    root: Path = template / subdirectory
    if "{" in subdirectory or template not in root.parents or root.resolve() != root:
        raise NeedsCopier("its subdirectory")
    return root


def _values(config: dict[str, Any], recorded: dict[str, Any]) -> dict[str, Any]:
    """What the template's files see of the answers, without the manifest."""
    if "modules" not in config or "module" in recorded:
        raise NeedsCopier("the names of its questions")
    values = {key: value for key, value in recorded.items() if not key.startswith("_")}
    for key, question in config.items():
        if not key.startswith("_"):
            details = question if isinstance(question, dict) else {"default": question}
            if key not in recorded:
                values[key] = _default_of_skipped(key, details, recorded)
            _refuse_cast(key, details, values[key])
    del values["modules"]
    return values


def _default_of_skipped(key: str, question: dict[str, Any], recorded: dict[str, Any]) -> Any:
    """What Copier takes where a question is not asked, because the answer to another is no."""
    asked_if = _IF_ANOTHER.fullmatch(str(question.get("when")))
    default = question.get("default")
    if not asked_if or recorded.get(asked_if["other"]) is not False:
        raise NeedsCopier(f"no answer to {key}")  # a secret, for example
    if not isinstance(default, (str, bool)) or "{" in str(default):
        raise NeedsCopier(f"the default of {key}")
    return default


def _refuse_cast(key: str, question: dict[str, Any], value: Any) -> None:
    """Refuse an answer that Copier would change by casting it to its question's type."""
    wanted = question.get("type") or type(question.get("default")).__name__
    several = question.get("multiselect")
    if several and not isinstance(value, list):
        raise NeedsCopier(f"the answer to {key}")
    for each in value if several else [value]:
        found = type(each).__name__
        as_it_is = wanted == found or (wanted in ("yaml", "json") and found != "str")
        if not as_it_is:
            raise NeedsCopier(f"the answer to {key}")


class _Rendering:
    """A module's rendering: goes once through all files of a template."""

    def __init__(
        self, template: Path, answers: dict[str, Any], project: Project, module: ModuleSpec
    ) -> None:
        self.loader = _PlainFiles(template)
        self.environment = SandboxedEnvironment(
            loader=self.loader,
            extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
            keep_trailing_newline=True,
            undefined=_Undefined,
        )
        self.module = module.to_entry()
        self.others = [known.to_entry() for known in project.modules]
        self.answers = answers
        self.without = self.answers | {"modules": self.others}
        self.with_it = self.answers | {"modules": [*self.others, self.module]}
        self.names: dict[str, str] = {}
        self.taken: set[PurePosixPath] = set()
        self.rendered = Rendered({}, {})

    def of_files_in(self, root: Path) -> Rendered:
        for source in _files(root):
            *folders, name = source.relative_to(root).parts
            if not folders and _FILE_OF_ANSWERS.fullmatch(name):
                continue
            folder = [self._name(part) for part in folders]
            if loop := _FILE_OF_EACH_MODULE.fullmatch(name):
                self._files_of_modules(source, folder, loop)
            elif name.endswith(".jinja"):
                name = Path(name).with_suffix("").name  # as Copier takes it off
                self._list_of_modules(source, [*folder, self._name(name)])
            else:
                self._path([*folder, self._name(name)])
        if self.taken & {parent for path in self.taken for parent in path.parents}:
            raise NeedsCopier("a file where a folder is")
        return self.rendered

    def _files_of_modules(self, source: Path, folder: list[str], loop: re.Match[str]) -> None:
        text = source.read_text(encoding="utf-8")
        modules = [each for each in (*self.others, self.module) if each["role"] == loop["role"]]
        kinds = {entry["kind"] for entry in modules}
        listing = {kind for kind in kinds if self._may_list_modules(text, kind)}
        for entry in modules:
            file = f"{loop['start']}{loop['before']}{entry['file']}{loop['after']}{loop['end']}"
            path = self._path([*folder, file])
            if path is None:
                continue
            if entry is self.module:
                _refuse_executable(source)
                self.rendered.new[path] = self._text(text, self.with_it | {"module": entry})
            elif entry["kind"] in listing:
                # Without `modules`: a file that another module changes needs Copier.
                self._text(text, self.answers | {"module": entry})

    def _may_list_modules(self, text: str, kind: str) -> bool:
        if by_kind := _TEXT_BY_KIND.fullmatch(text):
            name = f"{by_kind[1]}{kind}{by_kind[2]}"
            text = self.loader.get_source(self.environment, name)[0]
        return _LISTS_MODULES.search(text) is not None

    def _list_of_modules(self, source: Path, parts: list[str]) -> None:
        path = self._path(parts)
        text = source.read_text(encoding="utf-8")
        if path is None or not _LISTS_MODULES.search(text):
            return
        listing = self.environment.from_string(text)
        before, after = listing.render(self.without), listing.render(self.with_it)
        if before != after:
            _refuse_executable(source)
            self.rendered.changed[path] = (before, after)

    def _text(self, text: str, values: dict[str, Any]) -> str:
        return self.environment.from_string(text).render(values)

    def _name(self, part: str) -> str:
        if "{" not in part:
            return part
        if part not in self.names:
            if _OTHER_NAMES.search(part):
                raise NeedsCopier(f"the name {part}")
            self.names[part] = self._text(part, self.answers)
        return self.names[part]

    def _path(self, parts: list[str]) -> PurePosixPath | None:
        """A file's place in the repository; None where Copier skips it."""
        if not all(parts):
            return None
        path = PurePosixPath(*parts)
        is_plain = not path.is_absolute() and not {"..", ANSWERS_FILE} & set(path.parts)
        if not is_plain or path in self.taken:
            raise NeedsCopier(f"the path {path}")
        self.taken.add(path)
        return path


def _files(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
            else:
                raise NeedsCopier(f"{entry.name}, which is no plain file")


def _refuse_executable(source: Path) -> None:
    if source.stat().st_mode & 0o111:
        raise NeedsCopier(f"{source.name}, which is executable")


class _Undefined(jinja2.Undefined):
    """A variable that is missing here may be one that Copier has (`_copier_conf`, `pathjoin`)."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if self._undefined_obj is missing:
            raise NeedsCopier(f"the variable {self._undefined_name}")


class _PlainFiles(jinja2.FileSystemLoader):
    """Loads a template's own files only, not what a link in it points to."""

    def get_source(self, environment: jinja2.Environment, template: str) -> Any:
        try:
            source, filename, is_fresh = super().get_source(environment, template)
        except jinja2.TemplateNotFound as error:
            # Copier's copy of a template has more files: those of git.
            raise NeedsCopier(f"the file {template}") from error
        if Path(filename).resolve() != Path(filename):
            raise NeedsCopier(f"the link {template}")
        return source, filename, is_fresh


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
