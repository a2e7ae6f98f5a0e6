"""Comments that silence findings: `# noqa: NN103`, or `# noqa` for all.

A comment concerns its own line; at the end of a statement of several lines, all of them. Codes of
other tools in the same comment are theirs. A prefix, `NN1`, stands for all codes that begin so.
"""

from __future__ import annotations

import contextlib
import io
import re
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnscaffold.check.finding import Edit, Finding, Fix, Span
from nnscaffold.check.selection import STATIC_RULES, UNUSED_NOQA
from nnscaffold.check.sources import split_lines
from nnscaffold.contract.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

_COMMENT = re.compile(
    r"#\s*noqa(?P<list>\s*:\s*(?P<codes>[A-Z][A-Z-]*[0-9]+(?:[\s,]+[A-Z][A-Z-]*[0-9]+)*))?"
    r"(?P<no_codes>\s*:)?",
    re.IGNORECASE,
)
_OURS = re.compile(r"NN\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Directive:
    """One such comment.

    Attributes:
        line: Its line.
        first: The first of the lines that it concerns; its own is the last.
        column: Where in its line it begins.
        text: All of it, from `#` to the last code.
        codes: The codes that it names, as they are written; none: all are meant.
    """

    line: int
    first: int
    column: int
    text: str
    codes: tuple[str, ...]

    def silences(self, finding: Finding) -> bool:
        """Whether a finding is not to be reported."""
        if not self.first <= finding.span.line <= self.line:
            return False
        code = finding.rule.code
        return not self.codes or any(code.startswith(each.upper()) for each in self.codes)


def read_directives(text: str) -> list[Directive]:
    """The comments in a text that can be parsed."""
    if "noqa" not in text.lower():
        return []
    found = []
    first = 0  # of the statement that we are in; 0: between two
    comments: list[tuple[int, int, str]] = []
    for token in _tokens(text):
        if token.type == tokenize.COMMENT:
            comments.append((*token.start, token.string))
        elif token.type in (tokenize.NEWLINE, tokenize.ENDMARKER):
            last = token.start[0]
            for line, column, comment in comments:
                reach = first if first and line == last else line
                if directive := _parse(line, reach, column, comment):
                    found.append(directive)
            comments, first = [], 0
        elif not first and token.type not in (tokenize.NL, tokenize.INDENT, tokenize.DEDENT):
            first = token.start[0]
    return found


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    # The tokenizer of some Python versions refuses a few texts that their parser takes.
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        yield from tokenize.generate_tokens(io.StringIO(text, newline="").readline)


def _parse(line: int, first: int, column: int, comment: str) -> Directive | None:
    match = _COMMENT.search(comment)
    if match is None or (match["no_codes"] and not match["list"]):
        return None  # with words for codes it does not mean all of them either
    codes = tuple(re.split(r"[\s,]+", match["codes"])) if match["list"] else ()
    text = comment[match.start() : match.end("list") if match["list"] else match.end()]
    return Directive(line, first, column + match.start(), text, codes)


def silence(findings: Iterable[Finding], directives: Sequence[Directive]) -> list[Finding]:
    """The findings that no comment silences."""
    return [each for each in findings if not any(one.silences(each) for one in directives)]


def unused(
    path: str,
    text: str,
    findings: Sequence[Finding],
    directives: Sequence[Directive],
    on: AbstractSet[str],
) -> list[Finding]:
    """A finding for each comment with codes of ours that silence nothing.

    Args:
        path: The file, as it is shown.
        text: Its text.
        findings: Its findings, before they are silenced.
        directives: Its comments.
        on: The codes of the rules that are on: only of those can we say that there is nothing.
    """
    found = []
    lines: list[str] = []
    for directive in directives:
        idle = [
            code
            for code in directive.codes
            if _OURS.fullmatch(code) and _is_idle(code.upper(), directive, findings, on)
        ]
        if idle:
            lines = lines or split_lines(text)
            names = ", ".join(f"`{code}`" for code in idle)
            start, end = directive.column, directive.column + len(directive.text)
            found.append(
                Finding(
                    UNUSED_NOQA,
                    path,
                    Span(directive.line, start, directive.line, end),
                    f"The comment silences nothing: there is no {names} here",
                    fix=_removal(directive, idle, lines[directive.line - 1]),
                )
            )
    return found


def _is_idle(
    code: str, directive: Directive, findings: Sequence[Finding], on: AbstractSet[str]
) -> bool:
    meant = {known for known in STATIC_RULES if known.startswith(code)}
    if not meant <= on or (not meant and _is_runtime_rule(code)):
        return False
    return not any(
        directive.first <= each.span.line <= directive.line and each.rule.code.startswith(code)
        for each in findings
    )


def _is_runtime_rule(code: str) -> bool:
    return code in RULES


def _removal(directive: Directive, idle: Sequence[str], line: str) -> Fix:
    """Take the idle codes out; the whole comment, where nothing is left of it."""
    start, end = directive.column, directive.column + len(directive.text)
    kept = [code for code in directive.codes if code not in idle]
    if kept:
        head = directive.text[: directive.text.index(directive.codes[0])]
        text = head + ", ".join(kept)
    else:
        text = ""
        rest = line[end:].strip()
        if rest and not rest.startswith("#"):
            text = "# "  # a remark that followed the codes is still a comment
        end = len(line.rstrip()) if not rest else end + len(line[end:]) - len(line[end:].lstrip())
        start = start if rest else len(line[:start].rstrip())
    span = Span(directive.line, start, directive.line, end)
    return Fix("Remove what silences nothing", (Edit(span, text),))
