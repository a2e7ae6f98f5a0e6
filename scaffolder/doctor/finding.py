"""One thing that a machine has, or lacks."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "missing", "problem"]


class Finding(NamedTuple):
    """What was found out about one thing.

    Attributes:
        name: What it is, such as `tmux`.
        state: `ok`; `missing` where one can do without it; `problem` where something that is
            needed is missing, or something that is there does not work.
        found: Its version, or what is wrong.
        purpose: What it is for.
        way_out: A command that mends it, or a sentence where no command can; empty where all is
            well.
    """

    name: str
    state: State
    found: str
    purpose: str
    way_out: str = ""
