"""Names of files, and what sources say, as they are shown to people: in one line."""

from __future__ import annotations

import re


def in_one_line(text: str) -> str:
    """A text in which what cannot be seen is escaped: ends of lines, control characters, bytes.

    A file's name may hold all of these. As they are, they would make lines of their own, which a
    reader of the output, a terminal or GitHub would take for ours.
    """
    return re.sub(
        r"[^ -~]", lambda each: each[0] if each[0].isprintable() else _escaped(each[0]), text
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
