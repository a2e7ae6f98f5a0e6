"""A new repository: rendered beside its target, committed, and renamed into place."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scaffolder.errors import BadInput
from scaffolder.first_commit import commit_all
from scaffolder.git import setting
from scaffolder.render.repository import render_repository
from scaffolder.store import SOURCE, offer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_UNFINISHED = ".nnscaffold-unfinished"


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
        render_repository(
            source,
            version,
            folder,
            dict(answers),
            suggestions=_suggestions(path),
            ask=ask,
        )
        project = _describe(path, folder, commit)
        if commit and not dry_run:
            commit_all(folder, project.answers)
        if not dry_run:
            _move(folder, path)
    return project


def _require_free(path: Path) -> None:
    if os.path.lexists(path) and not path.is_dir():
        raise BadInput("target-exists", f"{path} is not a folder.", "Name a new folder.")
    if path.is_dir():
        if Path.cwd().is_relative_to(path.resolve()):
            raise BadInput(
                "target-in-use",
                f"{path} is the folder you are in, which cannot be replaced under you.",
                "Go to the folder above it and name it from there.",
            )
        try:
            occupied = any(path.iterdir())
        except OSError as error:
            raise _not_writable(path, error) from error
        if occupied:
            raise BadInput("target-exists", f"{path} is not empty.", "Name a new folder.")


def _lasting_address(source: str) -> str:
    """A template's address as it can be recorded: good from any folder, for anybody.

    Raises:
        BadInput: It is a plain folder, which has no versions, or it holds a password.
    """
    if re.match(r"[a-z+]+://[^/@]*:[^/@]*@", source):
        raise BadInput(
            "template-address",
            "The template's address holds a password, and would be committed with it.",
            "Leave the password out, and let git's credential helper or an SSH key give it.",
        )
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
    lock = os.open(scratch, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield scratch / "repository"
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(lock)
        _remove_empty(created)


def _remove_abandoned(path: Path) -> None:
    for scratch in path.parent.glob(f".*{_UNFINISHED}"):
        if not scratch.name.startswith(f".{path.name[:100]}."):
            continue
        lock = os.open(scratch, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(scratch, ignore_errors=True)
        except BlockingIOError:
            pass  # another command is at work in it
        finally:
            os.close(lock)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return  # the new repository, or somebody else's file, is in it


def _describe(path: Path, folder: Path, commit: bool) -> NewProject:
    from scaffolder.project import read_project

    files = {
        file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8", errors="replace")
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    return NewProject(path, files, read_project(folder).answers, commit)


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
