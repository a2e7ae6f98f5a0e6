"""The first commit of a new repository, which later updates start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scaffolder.errors import MachineFailure
from scaffolder.git import GitFailed, git, setting

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def commit_all(folder: Path, answers: Mapping[str, Any]) -> None:
    """Make a folder a git repository with one commit, untouched by the user's hooks and keys.

    Raises:
        MachineFailure: Git refuses.
    """
    plain = ("-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false", "-c", "gc.auto=0")
    message = f"Start from the template at {answers['_commit']}"
    branch = setting("init.defaultBranch") or "main"
    try:
        git("init", "-q", "--template=", "-b", branch, cwd=folder)
        # Forced: what the user's own git ignores everywhere still belongs to this repository.
        git(*plain, "add", "--all", "--force", cwd=folder)
        git(*plain, "commit", "-q", "-m", message, cwd=folder, environment=_identity(answers))
    except GitFailed as error:
        raise MachineFailure(
            "git-failed",
            f"Git could not make the first commit: {error.reason}.",
            "Fix git's configuration, or leave the commit out with --no-git.",
        ) from error


def _identity(answers: Mapping[str, Any]) -> dict[str, str]:
    """Who commits: whom git knows, else the repository's author."""
    if setting("user.name") and setting("user.email"):
        return {}
    name = str(answers.get("author_name") or "nnscaffold")
    email = str(answers.get("author_email") or "nnscaffold@localhost")
    return {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
    }
