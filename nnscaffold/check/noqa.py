"""Comments that silence findings: `# noqa: NN103`, or `# noqa` for all.

A comment concerns its own line; at the end of a statement of several lines, all of them. Codes of
other tools in the same comment are theirs. A prefix, `NN1`, stands for all codes that begin so. The
name of a rule is not a code: other tools that read the comment would not know what it is.
"""

from __future__ import annotations

import contextlib
import io
import re
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnscaffold.check.errors import nearest
from nnscaffold.check.finding import Edit, Finding, Fix, Span
from nnscaffold.check.selection import ALL_RULES, STATIC_RULES, UNUSED_NOQA, rules_of
from nnscaffold.check.sources import split_lines
from nnscaffold.contract.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

_COMMENT = re.compile(r"#\s*noqa(?P<colon>\s*:)?", re.IGNORECASE)
_WORD = re.compile(r"[\s,]*([A-Z][\w-]*)", re.IGNORECASE)
_CODE = re.compile(r"[A-Z][A-Z-]*[0-9]+", re.IGNORECASE)
_OURS = re.compile(r"NN\d+", re.IGNORECASE)
_NEARLY_OURS = re.compile(r"NN\d[\w-]*", re.IGNORECASE)


@dataclass(frozen=True)
class Directive:
    """One such comment.

    Attributes:
        line: Its line.
        first: The first of the lines that it concerns; its own is the last.
        column: Where in its line it begins.
        text: All of it, from `#` to the last word.
        words: The codes, and what somebody took for one, as they are written; none: all rules are
            meant.
    """

    line: int
    first: int
    column: int
    text: str
    words: tuple[str, ...]

    @property
    def codes(self) -> list[str]:
        """Those of the words that are codes."""
        return [word for word in self.words if _CODE.fullmatch(word)]

    def silences(self, finding: Finding) -> bool:
        """Whether a finding is not to be reported."""
        if not self.first <= finding.span.line <= self.line:
            return False
        code = finding.rule.code
        return not self.words or any(code.startswith(each.upper()) for each in self.codes)


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
    if match is None:
        return None
    words: list[str] = []
    end = match.end()
    while match["colon"] and (word := _WORD.match(comment, end)) and _is_meant(word[1], words):
        words.append(word[1])
        end = word.end()
    if match["colon"] and not words:
        return None  # with other words for codes it does not mean all of them either
    return Directive(
        line, first, column + match.start(), comment[match.start() : end], tuple(words)
    )


def _is_meant(word: str, before: Sequence[str]) -> bool:
    """Whether a word stands for a rule, rightly or wrongly; else it begins a remark."""
    if _CODE.fullmatch(word) or _NEARLY_OURS.fullmatch(word):
        return True
    named = [rule.code for rule in ALL_RULES.values() if rule.name == word.lower()]
    return bool(named) and named[0] not in map(str.upper, before)  # else it explains the code


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
    """Findings about codes of ours that silence nothing, and words that are no codes.

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
        start, end = directive.column, directive.column + len(directive.text)
        span = Span(directive.line, start, directive.line, end)
        idle = [
            code
            for code in directive.codes
            if _OURS.fullmatch(code) and _is_idle(code.upper(), directive, findings, on)
        ]
        if idle:
            lines = lines or split_lines(text)
            fix = _removal(directive, idle, lines[directive.line - 1])
            found.append(Finding(UNUSED_NOQA, path, span, _why_idle(idle), fix=fix))
        for word in directive.words:
            if not _CODE.fullmatch(word):
                found.append(Finding(UNUSED_NOQA, path, span, _why_wrong(word)))
    return found


def _why_idle(codes: Sequence[str]) -> str:
    known = [f"`{code}`" for code in codes if rules_of(code)]
    unknown = [f"`{code}`" for code in codes if not rules_of(code)]
    reasons = [f"there is no {', '.join(known)} here"] if known else []
    if unknown:
        reasons.append(f"{', '.join(unknown)} is not a rule")
    return f"The comment silences nothing: {' and '.join(reasons)}"


def _why_wrong(word: str) -> str:
    (rule,) = rules_of(word) or (None,)
    code = rule.code if rule else nearest(word.upper(), RULES)
    instead = f": write `{code}`" if code in RULES else ""
    return f"`{word}` is not a code, and silences nothing{instead}"


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
    kept = [word for word in directive.words if word not in idle]
    if kept:
        head = directive.text[: directive.text.index(directive.words[0])]
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
