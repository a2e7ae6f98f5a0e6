"""What the checker reports: a finding, and the edits that fix it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nnscaffold.contract.rules import Rule


@dataclass(frozen=True, order=True)
class Span:
    """A stretch of a file's text: lines count from 1, columns in characters from 0.

    `end_column` is the first column after it, as in `ast`.
    """

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, order=True)
class Edit:
    """A stretch of text and what takes its place; an empty stretch is an insertion."""

    span: Span
    text: str


@dataclass(frozen=True)
class Fix:
    """The edits that clear one finding: all of them, or none.

    Attributes:
        summary: What they do, as an imperative: "Wrap the list in `nn.ModuleList`".
        edits: They do not overlap. Several fixes may hold the same edit, an import, say; it is
            made once.
        new_keys: Keys that the module's state dict has afterwards and did not have before, as
            patterns in which `*` stands for the rest of a key: `layers.*`, `mask`.
    """

    summary: str
    edits: tuple[Edit, ...]
    new_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One breach of a rule at one place.

    Attributes:
        rule: The rule.
        path: The file, as it was named to the checker.
        span: Where in it.
        message: What is wrong, one sentence without the final full stop.
        name: What it is about: `Net.layers`, `Net.forward`, a function.
        fix: How it can be rewritten; None where that takes a person.
    """

    rule: Rule
    path: str
    span: Span
    message: str
    name: str = ""
    fix: Fix | None = field(default=None, compare=False)
