"""What stops a check before it has a result, and is the user's or the machine's doing."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from nnscaffold.check.printing import in_one_line

if TYPE_CHECKING:
    from collections.abc import Iterable


class CheckError(Exception):
    """An error that is reported in one sentence.

    Args:
        code: A stable name for machines, such as `path-missing`.
        message: What is wrong and where.
        hint: What to do now.
    """

    def __init__(self, code: str, message: str, hint: str) -> None:
        self.code = code
        self.message = in_one_line(message)
        self.hint = in_one_line(hint)
        super().__init__(f"{self.message} {self.hint}")


class BadRequest(CheckError):
    """A path, a setting or an option cannot be what was meant."""


class WriteFailed(CheckError):
    """A file could not be written; all of them are as they were."""


def closest(word: str, known: Iterable[str], cutoff: float = 0.7) -> str:
    """A question that names the nearest known word, or nothing; the arguments of `nearest`."""
    near = nearest(word, known, cutoff)
    return f"Did you mean `{near}`?" if near else ""


def nearest(word: str, known: Iterable[str], cutoff: float = 0.7) -> str:
    """The known word that is nearest to another one; empty if none is near.

    Args:
        word: What somebody wrote.
        known: What can be meant.
        cutoff: How similar it must be, from 0 to 1. Of two codes that differ in two digits neither
            was meant for the other.
    """
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)), "")
