"""Programs asked about themselves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import NamedTuple

# A daemon that does not answer must not hold up everything else.
_PATIENCE_IN_SECONDS = 10
_TORCH_PATIENCE_IN_SECONDS = 60


class Answer(NamedTuple):
    """How a program ended: whether well, and what it printed on both outputs."""

    well: bool
    text: str

    @property
    def version(self) -> str:
        """The first thing in the text that looks like a version; empty where nothing does."""
        found = re.search(r"\d+(?:\.\d+)+[a-z]?", self.text)
        return found[0] if found else ""

    @property
    def last_line(self) -> str:
        """The last line of the text: where programs say what is wrong."""
        lines = self.text.strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"


def ask(*command: str, slow: bool = False) -> Answer | None:
    """Run a program without input; None where there is none of that name.

    Args:
        command: The program and its arguments.
        slow: Whether it imports torch, which can take long on a cold disk.
    """
    program = shutil.which(command[0])
    if program is None:
        return None
    patience = _TORCH_PATIENCE_IN_SECONDS if slow else _PATIENCE_IN_SECONDS
    try:
        result = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=os.environ | {"LC_ALL": "C"},
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(False, f"no answer within {patience} seconds")
    except OSError as error:
        return Answer(False, error.strerror or str(error))
    return Answer(result.returncode == 0, result.stdout)
