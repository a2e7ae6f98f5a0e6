"""A new repository: rendered beside its target, committed, and renamed into place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scaffolder.address import lasting_address
from scaffolder.errors import AnswerRefused, BadInput
from scaffolder.first_commit import commit_all
from scaffolder.git import setting
from scaffolder.project import ANSWERS_FILE, read_project
from scaffolder.render.repository import render_repository
from scaffolder.store import SOURCE, offer, repair
from scaffolder.target import move_into_place, require_free, unfinished_folder

if TYPE_CHECKING:
    from collections.abc import Mapping


class NewProject(NamedTuple):
    """A repository that was made, or would be.

    Attributes:
        path: Where it is.
        files: Its files, without git's own, by their names below `path`.
        answers: What it was made from.
        committed: Whether it is a git repository with a first commit.
    """

    path: Path
    files: dict[str, str]
    answers: dict[str, Any]
    committed: bool


def create_project(
    path: Path,
    answers: Mapping[str, str],
    *,
    source: str | None = None,
    version: str | None = None,
    ask: bool = False,
    commit: bool = True,
    dry_run: bool = False,
) -> NewProject:
    """Make a repository: all of it or nothing.

    Args:
        path: A folder that does not exist yet, or is empty.
        answers: Answers to the template's questions.
        source: A template's address; None for the one that comes with this tool.
        version: The template's tag, branch or commit; None for the latest release.
        ask: Whether to ask on the terminal for the other answers.
        commit: Whether to make it a git repository with a first commit.
        dry_run: Render it, and put it nowhere.

    Raises:
        BadInput: The target is not free, or an answer or the template is invalid.
        MachineFailure: The disk is full, or the like.
    """
    path = Path(os.path.abspath(path))  # not `resolve`: a link is not ours to follow
    require_free(path)
    if source is None:
        source, version = SOURCE, version or offer()
    else:
        source = lasting_address(source)
    with unfinished_folder(path, dry_run) as folder:
        _render(source, version, folder, dict(answers), _suggestions(path), ask)
        _refuse_git(folder, source)
        project = _describe(path, source, folder, commit)
        if commit and not dry_run:
            commit_all(folder, project.answers)
        if not dry_run:
            move_into_place(folder, path)
    return project


def _render(
    source: str,
    version: str | None,
    folder: Path,
    answers: dict[str, Any],
    suggestions: dict[str, str],
    ask: bool,
) -> None:
    """Render the template; a suggestion that it refuses was not the user's, and is dropped."""
    while True:
        try:
            return render_repository(
                source, version, folder, answers, suggestions=suggestions, ask=ask
            )
        except AnswerRefused as error:
            if error.question not in suggestions:
                raise
            del suggestions[error.question]
        except BadInput as error:
            if error.code != "template-unavailable" or source != SOURCE or not repair():
                raise
        shutil.rmtree(folder, ignore_errors=True)


def _refuse_git(folder: Path, source: str) -> None:
    """Git's settings and hooks name programs, which the first commit would run."""
    if any(path.name.lower() == ".git" for path in folder.rglob("*")):
        raise BadInput(
            "template-unsafe",
            f"The template {source} writes into git's own folder, from which programs are run.",
            "Use a template that you trust.",
        )


def _describe(path: Path, source: str, folder: Path, commit: bool) -> NewProject:
    files = {
        file.relative_to(folder).as_posix(): _text(file)
        for file in sorted(folder.rglob("*"))
        if file.is_symlink() or file.is_file()
    }
    try:
        answers = read_project(folder).answers
    except BadInput as error:
        raise BadInput(
            "template-unfit",
            f"The template {source} makes repositories without a list of modules.",
            f"Give it a question `modules` and a file {ANSWERS_FILE}, as nnscaffold's own has.",
        ) from error
    return NewProject(path, files, answers, commit)


def _text(file: Path) -> str:
    """A file's text, for showing it; a link's target, which may be no file of the repository."""
    if file.is_symlink():
        return f"link to {file.readlink()}\n"
    return file.read_text(encoding="utf-8", errors="replace")


def _suggestions(path: Path) -> dict[str, str]:
    """Better defaults, from the path and the git configuration."""
    suggestions = {"project_name": path.name}
    for answer, name in (("author_name", "user.name"), ("author_email", "user.email")):
        if known := setting(name):
            suggestions[answer] = known
    return suggestions
