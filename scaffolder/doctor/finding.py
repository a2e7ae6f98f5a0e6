"""One thing that a machine has, or lacks."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "missing", "problem"]


class Finding(NamedTuple):
    """The state of one thing.

    Attributes:
        name: What it is, such as `tmux`.
        state: `ok`; `missing` if it is optional; `problem` where something that is
            needed is missing, or something that is there does not work.
        found: Its version, or what is wrong.
        purpose: What it is for.
        hint: A command that fixes it, or a sentence where no command can; empty if it is `ok`.
    """

    name: str
    state: State
    found: str
    purpose: str
    hint: str = ""
