"""Git, run as a program, with the user's configuration or in isolation from it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from scaffolder.errors import MachineFailure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# The store must come out the same whatever the user's hooks, signing or line-ending settings are.
ISOLATED = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "nnscaffold",
    "GIT_AUTHOR_EMAIL": "nnscaffold@localhost",
    "GIT_COMMITTER_NAME": "nnscaffold",
    "GIT_COMMITTER_EMAIL": "nnscaffold@localhost",
}


class GitFailed(Exception):
    """A git command exited non-zero; `stderr` holds what it printed."""

    def __init__(self, arguments: Sequence[str], stderr: str) -> None:
        super().__init__(f"git {' '.join(arguments)}: {stderr}")
        self.stderr = stderr

    @property
    def reason(self) -> str:
        """The line that gives the reason: git's last error, else its last line."""
        lines = self.stderr.splitlines() or [""]
        errors = [line for line in lines if line.startswith(("fatal: ", "error: "))]
        return (errors or lines)[-1].removeprefix("fatal: ").removeprefix("error: ").rstrip(".")


def git(
    *arguments: str,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> str:
    """Run git and return what it prints.

    Args:
        arguments: The words after `git`.
        cwd: Where to run it.
        environment: Variables to set on top of the present ones.
        stdin: Text for its standard input.

    Raises:
        GitFailed: Git exited non-zero.
        MachineFailure: Git is not installed.
    """
    # A template's address that needs a password must fail, not wait for one that nobody can type.
    variables = os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"} | dict(environment or {})
    try:
        result = subprocess.run(
            ["git", *arguments],
            cwd=cwd,
            env=variables,
            input=stdin if stdin is not None else "",
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except FileNotFoundError:
        raise MachineFailure(
            "git-missing",
            "Git is not installed.",
            "Install it (Debian: apt-get install git), then run the command again.",
        ) from None
    if result.returncode != 0:
        raise GitFailed(arguments, result.stderr.strip())
    return result.stdout


def bare(repository: Path, *arguments: str) -> str:
    """Run git on a bare repository of template versions, whatever the user's configuration is."""
    return git(f"--git-dir={repository.absolute()}", *arguments, environment=ISOLATED)


def setting(name: str) -> str:
    """A value of the user's git configuration; empty if it is not set."""
    try:
        return git("config", "--get", name).strip()
    except GitFailed:
        return ""
