"""Programs that report on themselves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import NamedTuple

# A daemon that does not answer must not hold up the other checks.
_TIMEOUT_SECONDS = 10
_TORCH_TIMEOUT_SECONDS = 60


class Answer(NamedTuple):
    """Whether a program succeeded, and what it printed on both outputs."""

    succeeded: bool
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
        return lines[-1].strip() if lines else "it printed nothing"


def ask(*command: str, slow: bool = False) -> Answer | None:
    """Run a program without input; None where there is none of that name.

    Args:
        command: The program and its arguments.
        slow: Whether it imports torch, which can take long on a cold disk.
    """
    program = shutil.which(command[0])
    if program is None:
        return None
    timeout = _TORCH_TIMEOUT_SECONDS if slow else _TIMEOUT_SECONDS
    try:
        result = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=os.environ | {"LC_ALL": "C"},
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(False, f"no answer within {timeout} seconds")
    except OSError as error:
        return Answer(False, error.strerror or str(error))
    return Answer(result.returncode == 0, result.stdout)
