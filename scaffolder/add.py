"""A new module in a generated repository: its file, its test, its lines in index and manifest."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from scaffolder.checkout import cached_checkout, template_checkout
from scaffolder.errors import BadInput
from scaffolder.journal import Change, apply, exclusive, path_for
from scaffolder.kinds import choose_kind, read_kinds
from scaffolder.project import (
    ANSWERS_FILE,
    find_root,
    parse_project,
    read_project,
    require_root,
)
from scaffolder.render.module import NeedsCopier, Rendered, render_module
from scaffolder.spec import specify
from scaffolder.store import SOURCE, offer

if TYPE_CHECKING:
    from collections.abc import Callable

    from scaffolder.kinds import Kind
    from scaffolder.project import Project
    from scaffolder.spec import ModuleSpec, Role


class Addition(NamedTuple):
    """A module that was added to a repository, or would be.

    Attributes:
        project: The repository, as it was.
        module: The module.
        changes: The files written, in the order in which they were.
    """

    project: Project
    module: ModuleSpec
    changes: list[Change]


def add_module(
    start: Path,
    name: str,
    role: Role,
    *,
    kind: str | Callable[[list[Kind]], str],
    dry_run: bool = False,
) -> Addition:
    """Add a module to the repository that a folder lies in.

    Args:
        start: A folder inside the repository.
        name: The class.
        role: `layer` or `model`.
        kind: The kind's name, or a function that chooses it from those there are.
        dry_run: Work out the changes, and write nothing.

    Raises:
        BadInput: There is no repository, or the name or kind is invalid, or a file is in the way.
        MachineFailure: A file cannot be written.
    """
    root = require_root(start)
    project = read_project(root)
    # Asked and fetched before the repository is held, and the name first: nobody should choose a
    # kind for a module with an invalid name.
    specify(name, "", role, project.modules)
    template = template_checkout(project.source, project.version)
    kinds = read_kinds(template)
    chosen = choose_kind(kind if isinstance(kind, str) else kind(kinds), role, kinds)
    if dry_run:
        return _plan(project, template, name, role, chosen)
    with exclusive(root):
        # Read again: another command may have been at work meanwhile.
        addition = _plan(read_project(root), template, name, role, chosen)
        apply(root, addition.changes)
    return addition


def offered_kinds(start: Path) -> list[Kind]:
    """The kinds of the repository around a folder; elsewhere those that come with this tool."""
    root = find_root(start)
    if root is None:
        return read_kinds(template_checkout(SOURCE, offer()))
    project = read_project(root)
    return read_kinds(template_checkout(project.source, project.version))


def known_kinds(start: Path) -> list[Kind]:
    """The kinds of the repository around a folder, if they are cached."""
    project = read_project(require_root(start))
    return read_kinds(cached_checkout(project.source, project.version))


def _plan(project: Project, template: Path, name: str, role: Role, kind: Kind) -> Addition:
    module = specify(name, kind.name, role, project.modules)
    try:
        rendered = render_module(template, project, module)
    except NeedsCopier:
        from scaffolder.render.repository import render_module_by_copier

        rendered = render_module_by_copier(project, module)
    return Addition(project, module, _changes(project, module, rendered))


def _changes(project: Project, module: ModuleSpec, rendered: Rendered) -> list[Change]:
    """All changes, in the order in which every prefix of them leaves a package that imports."""
    if not any(path.stem == module.file for path in rendered.new):
        raise BadInput(
            "template-broken",
            f"The template {project.source} makes no file {module.file}.py of a {module.role}.",
            "Give it one, named by `module.file`, or use another template.",
        )
    changes = []
    for path, text in sorted(rendered.new.items(), key=lambda new: new[0].parts[0] == "tests"):
        if os.path.lexists(project.root / path):
            raise BadInput(
                "file-exists",
                f"{project.root / path} exists already, and is not overwritten.",
                "Choose another name, or move the file away.",
            )
        path_for(project.root, path)
        changes.append(Change(path, None, text))
    for path, (without, with_it) in rendered.changed.items():
        present = _read(path_for(project.root, path))
        after = with_it if present is None else _with_added_lines(present, without, with_it)
        changes.append(Change(path, present, after))
    answers = _read(project.root / ANSWERS_FILE) or ""
    entry = _with_entry(answers, module.to_line())
    _require_manifest(project, module, entry)
    return [*changes, Change(PurePosixPath(ANSWERS_FILE), answers, entry)]


def _with_added_lines(present: str, without: str, with_it: str) -> str:
    """Bring the lines that a module adds to a generated file into that file as it is now."""
    if present == without:
        return with_it
    lines = present.splitlines(keepends=True)
    generated = with_it.splitlines(keepends=True)
    known = set(without.splitlines(keepends=True))
    for number, line in enumerate(generated):
        if line in known or line in lines:
            continue
        # After the nearest line before it that the file still has; at its end if there is none.
        before = [lines.index(other) for other in generated[:number] if other in lines]
        position = max(before) + 1 if before else len(lines)
        if position and not lines[position - 1].endswith("\n"):
            lines[position - 1] += "\n"
        lines.insert(position, line)
    return "".join(lines)


def _with_entry(answers: str, line: str) -> str:
    """Add a module's line at the end of the manifest."""
    lines = answers.splitlines(keepends=True)
    start = next((n for n, text in enumerate(lines) if text.startswith("modules:")), None)
    if start is None:
        raise BadInput(
            "answers-invalid", f"{ANSWERS_FILE} has no `modules`.", "Restore it from git."
        )
    end = start + 1
    while end < len(lines) and lines[end].startswith(("- ", "  ", "\n", "#")):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    if lines[start].split(":", 1)[1].strip() == "[]":
        lines[start] = "modules:\n"
    if not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    lines.insert(end, line)
    return "".join(lines)


def _require_manifest(project: Project, module: ModuleSpec, answers: str) -> None:
    """Prove that the new answers file says what it should, however its YAML is formatted."""
    wanted = [*project.modules, module]
    try:
        right = parse_project(project.root, answers).modules == wanted
    except BadInput:
        right = False
    if not right:
        raise BadInput(
            "answers-invalid",
            f"{project.root / ANSWERS_FILE} has a list `modules` that is not written one line a "
            "module, so nothing can be added to it.",
            "Write each module as a line `- {...}` of its own.",
        )


def _read(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            "file-unreadable", f"{path} cannot be read: {error}.", "Restore it from git."
        ) from error
