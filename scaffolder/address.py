"""A template's address: as a repository can record it, and as git can clone it."""

from __future__ import annotations

import re
from pathlib import Path

from scaffolder.errors import BadInput

_SHORTCUTS = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}  # as in Copier


def lasting_address(source: str) -> str:
    """A template's address as it can be recorded: valid in any folder, for any user.

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
            f"The template {source} is not a git repository, so it has no version to update from.",
            "Run git init, git add and git commit there.",
        )
    return source if source.startswith("~") else str(local.absolute())


def clone_address(source: str) -> str:
    """A recorded address, which may be in one of Copier's short forms, in the form for git."""
    source = source.removeprefix("git+")  # as Copier writes "this is for git"
    for shortcut, server in _SHORTCUTS.items():
        if source.startswith(shortcut):
            return f"{server}{source.removeprefix(shortcut).strip('/')}.git"
    return str(Path(source).expanduser()) if source.startswith("~") else source
