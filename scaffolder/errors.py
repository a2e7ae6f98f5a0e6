"""Every error that a user can cause or meet: a stable code, a sentence, a hint."""

from __future__ import annotations

from typing import ClassVar


class ScaffoldError(Exception):
    """An error that is reported to the user who ran the command.

    Args:
        code: A stable name for machines, such as `name-taken`.
        message: What is wrong and where, in one sentence.
        hint: What to do now, in one sentence.
    """

    exit_code: ClassVar[int]

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(f"{message} {hint}")
        self.code = code
        self.message = message
        self.hint = hint


class BadInput(ScaffoldError):
    """What the user asked for cannot be done as asked; nothing was written."""

    exit_code = 2


class AnswerRefused(BadInput):
    """An answer to one of the template's questions is invalid.

    Attributes:
        question: Which one.
    """

    def __init__(self, question: str, reason: str) -> None:
        """Report the template's reason."""
        super().__init__(
            "answer-invalid",
            f"The answer to '{question}' is refused: {reason.rstrip('.')}.",
            f"Give another one with -d {question}=VALUE.",
        )
        self.question = question


class MachineFailure(ScaffoldError):
    """The machine, or this tool, failed; nothing was written."""

    exit_code = 3
