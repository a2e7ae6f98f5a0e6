"""Patterns of files, as `exclude` and `per-file-ignores` have them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def matches(relative: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern means a file, or a folder that it is in.

    Args:
        relative: The file, relative to the folder of the settings, with `/`.
        patterns: With a `/`, each is relative to that folder; without, it means the name of any
            file or folder. `*` and `**` stand for any characters, `/` too.
    """
    return any(_matches(relative, pattern.removeprefix("./").rstrip("/")) for pattern in patterns)


def _matches(relative: str, pattern: str) -> bool:
    if pattern.startswith("**/") and _matches(relative, pattern[3:]):
        return True
    if "/" not in pattern:
        return any(fnmatchcase(part, pattern) for part in relative.split("/"))
    # The second: `vendor/**` means the folder itself, too.
    texts = (relative, f"{relative}/")
    return any(fnmatchcase(text, pattern) for text in texts) or fnmatchcase(
        relative, f"{pattern}/*"
    )
