"""A generated repository: where it is, and what its answers say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from scaffolder.errors import BadInput
from scaffolder.spec import ModuleSpec

if TYPE_CHECKING:
    from collections.abc import Hashable

ANSWERS_FILE = ".copier-answers.yml"
_HINT = f"Fix {ANSWERS_FILE}: under `modules`, one line and one name for each module."


class Project(NamedTuple):
    """A generated repository.

    Attributes:
        root: Its folder.
        answers: What `.copier-answers.yml` records, Copier's own entries included.
        modules: Its manifest.
    """

    root: Path
    answers: dict[str, Any]
    modules: list[ModuleSpec]

    @property
    def source(self) -> str:
        """The address of its template."""
        return str(self.answers["_src_path"])

    @property
    def version(self) -> str:
        """The version of the template that it was made from or last updated to."""
        return str(self.answers["_commit"])


def find_root(start: Path) -> Path | None:
    """The generated repository that a folder lies in; None where it lies in none."""
    folders = (start, *start.parents)
    return next((folder for folder in folders if (folder / ANSWERS_FILE).is_file()), None)


def require_root(start: Path) -> Path:
    """The generated repository that a folder lies in.

    Raises:
        BadInput: There is none.
    """
    if root := find_root(start):
        return root
    raise BadInput(
        "not-a-repository",
        f"{start} is not inside a repository made by nnscaffold: no {ANSWERS_FILE} here or above.",
        "Change into one, or create one with `nnscaffold new project PATH`.",
    )


def read_project(root: Path) -> Project:
    """Read a repository's answers and its manifest.

    Raises:
        BadInput: The answers cannot be read, name something twice, or lack what is needed.
    """
    path = root / ANSWERS_FILE
    try:
        return parse_project(root, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            "answers-unreadable", f"{path} cannot be read: {error}.", "Restore it from git."
        ) from error


def parse_project(root: Path, text: str) -> Project:
    """Read a repository's answers and its manifest from the text of its answers file.

    Raises:
        BadInput: The answers name something twice, or lack what is needed.
    """
    path = root / ANSWERS_FILE
    try:
        answers = yaml.load(text, Loader=_UniqueKeys)
    except (yaml.YAMLError, TypeError, ValueError) as error:
        reason = " ".join(str(getattr(error, "problem", None) or error).split())
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise BadInput("answers-invalid", f"{where}: {reason}.", _HINT) from error
    if not isinstance(answers, dict) or not {"_src_path", "_commit"} <= answers.keys():
        raise BadInput(
            "answers-invalid",
            f"{path} lacks `_src_path` or `_commit`, so its template is not known.",
            "Restore it from git; a template must be a git repository to leave both.",
        )
    return Project(root, answers, _read_manifest(answers.get("modules"), path))


def _read_manifest(entries: object, path: Path) -> list[ModuleSpec]:
    if not isinstance(entries, list):
        raise BadInput("answers-invalid", f"{path} has no list `modules`.", _HINT)
    modules = [ModuleSpec.from_entry(entry, path) for entry in entries]
    for number, module in enumerate(modules):
        for other in modules[:number]:
            if module.name.lower() == other.name.lower() or module.file == other.file:
                raise BadInput(
                    "manifest-duplicate",
                    f"{path} lists '{other.name}' ({other.file}.py) and '{module.name}' "
                    f"({module.file}.py), which share a name or a file.",
                    _HINT,
                )
    return modules


class _UniqueKeys(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which a key given twice is an error: a union merge can leave two `_commit`s."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"'{key}' is there twice", key_node.start_mark
                )
            seen.add(key)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping
