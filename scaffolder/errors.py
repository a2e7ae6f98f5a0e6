"""Every error that a user can cause or meet: a stable code, a sentence, a way out."""

from __future__ import annotations

from typing import ClassVar


class ScaffoldError(Exception):
    """Something that stopped a command, told to the person who ran it.

    Args:
        code: A stable name for machines, such as `name-taken`.
        message: What is wrong and where, in one sentence.
        way_out: What to do now, in one sentence.
    """

    exit_code: ClassVar[int]

    def __init__(self, code: str, message: str, way_out: str) -> None:
        super().__init__(f"{message} {way_out}")
        self.code = code
        self.message = message
        self.way_out = way_out


class BadInput(ScaffoldError):
    """What the user asked for cannot be done as asked; nothing was written."""

    exit_code = 2


class AnswerRefused(BadInput):
    """An answer to one of the template's questions will not do.

    Attributes:
        question: Which one.
    """

    def __init__(self, question: str, reason: str) -> None:
        """Say what the template says of the answer."""
        super().__init__(
            "answer-invalid",
            f"The answer to '{question}' is refused: {reason.rstrip('.')}.",
            f"Give another one with -d {question}=VALUE.",
        )
        self.question = question


class MachineFailure(ScaffoldError):
    """The machine, or this tool, failed; nothing was written."""

    exit_code = 3
