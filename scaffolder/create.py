"""A new repository: rendered beside its target, committed, and renamed into place."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scaffolder.errors import AnswerRefused, BadInput
from scaffolder.first_commit import commit_all
from scaffolder.git import setting
from scaffolder.lock import Busy, locked
from scaffolder.project import ANSWERS_FILE, read_project
from scaffolder.render.repository import render_repository
from scaffolder.store import SOURCE, offer, repair

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_UNFINISHED = ".nnscaffold-unfinished"
_PATIENCE_IN_SECONDS = 1.0


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
        version: The template's tag, branch or commit; None for the newest release.
        ask: Whether to ask on the terminal for the other answers.
        commit: Whether to make it a git repository with a first commit.
        dry_run: Render it, and put it nowhere.

    Raises:
        BadInput: The target is not free, or an answer or the template is refused.
        MachineFailure: The disk is full, or the like.
    """
    path = Path(os.path.abspath(path))  # not `resolve`: a link is not ours to follow
    _require_free(path)
    if source is None:
        source, version = SOURCE, version or offer()
    else:
        source = _lasting_address(source)
    with _unfinished_folder(path, dry_run) as folder:
        _render(source, version, folder, dict(answers), _suggestions(path), ask)
        _refuse_git(folder, source)
        project = _describe(path, source, folder, commit)
        if commit and not dry_run:
            commit_all(folder, project.answers)
        if not dry_run:
            _move(folder, path)
    return project


def _require_free(path: Path) -> None:
    try:
        os.lstat(path)
        occupied = path.is_symlink() or not path.is_dir() or any(path.iterdir())
        in_use = Path.cwd().is_relative_to(path.resolve())
    except FileNotFoundError:
        return
    except OSError as error:
        raise _not_writable(path, error) from error
    if occupied:
        reason = "is not empty" if path.is_dir() and not path.is_symlink() else "is not a folder"
        raise BadInput("target-exists", f"{path} {reason}.", "Name a new folder.")
    if in_use:
        raise BadInput(
            "target-in-use",
            f"{path} is the folder you are in, which cannot be replaced under you.",
            "Go to the folder above it and name it from there.",
        )


def _lasting_address(source: str) -> str:
    """A template's address as it can be recorded: good from any folder, for anybody.

    Raises:
        BadInput: It is a plain folder, which has no versions, or it holds a password.
    """
    if re.match(r"(?i)(git\+)?https?://[^/]*@|[a-z+]+://[^/@]*:[^/@]*@", source):
        raise BadInput(
            "template-address",
            "The template's address holds a password or token, and would be committed with it.",
            "Leave it out, and let git's credential helper or an SSH key give it.",
        )
    source = source.removeprefix("file://")  # Copier knows paths only
    local = Path(source).expanduser()
    if not local.exists():
        return source
    if local.is_dir() and not (local / ".git").exists() and not (local / "HEAD").exists():
        raise BadInput(
            "template-address",
            f"The template {source} is no git repository, so it has no version to update from.",
            "Make it one: git init, git add, git commit.",
        )
    return source if source.startswith("~") else str(local.absolute())


@contextmanager
def _unfinished_folder(path: Path, dry_run: bool) -> Iterator[Path]:
    """A folder to build in, beside the target, gone afterwards.

    Its lock tells the folder of a running command from one that a killed command left.
    """
    created: list[Path] = []
    parent = path.parent
    try:
        if dry_run:
            base = None
        else:
            created = [above for above in (parent, *parent.parents) if not above.exists()]
            parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(path)
            base = parent
        scratch = Path(tempfile.mkdtemp(_UNFINISHED, f".{path.name[:100]}.", base))
    except OSError as error:
        _remove_empty(created)
        raise _not_writable(parent, error) from error
    try:
        with locked(scratch, patience=_PATIENCE_IN_SECONDS):
            yield scratch / "repository"
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        _remove_empty(created)


def _remove_abandoned(path: Path) -> None:
    for scratch in path.parent.glob(f".*{_UNFINISHED}"):
        if scratch.name.startswith(f".{path.name[:100]}."):
            # Another command may be at work in it, or it may be somebody else's.
            with suppress(Busy, OSError), locked(scratch, patience=0):
                shutil.rmtree(scratch, ignore_errors=True)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return  # the new repository, or somebody else's file, is in it


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
            "Do not use this template.",
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
    """Answers that this machine knows better than the template does."""
    suggestions = {"project_name": path.name}
    for answer, name in (("author_name", "user.name"), ("author_email", "user.email")):
        if known := setting(name):
            suggestions[answer] = known
    return suggestions


def _move(folder: Path, path: Path) -> None:
    try:
        folder.rename(path)  # onto nothing, or an empty folder: one step for the file system
    except OSError as error:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise BadInput(
                "target-exists",
                f"{path} came into being meanwhile.",
                "Name a new folder.",
            ) from error
        raise _not_writable(path.parent, error) from error


def _not_writable(folder: Path, error: OSError) -> BadInput:
    return BadInput(
        "target-not-writable",
        f"Nothing can be written in {folder}: {error.strerror}.",
        "Choose another place, or make it writable.",
    )
