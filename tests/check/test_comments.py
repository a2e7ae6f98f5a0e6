"""A fix leaves each comment beside the code that it is about."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rewriting import rewritten

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = Path(__file__).parent / "corpus"
BREACHES = sorted([*CORPUS.glob("*/breaches.py"), *CORPUS.glob("reports/*.py")])
_MARK = re.compile(r"  # NN\d.*$", re.MULTILINE)
_COMMENT = re.compile(r"#:\d+")
# What a fix takes from a line: a direct call's name, and a base that `super` was told to skip.
_TAKEN = {"forward", "nn", "Module", "self"}


def behind(text: str) -> str:
    """A text with a comment at the end of each line of code."""
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        row = token.start[0]
        if token.type in (tokenize.NEWLINE, tokenize.NL) and not _is_bare(lines[row - 1]):
            lines[row - 1] += f"  #:{row}"
    return "\n".join(lines) + "\n"


def above(text: str) -> str:
    """A text with a comment on a line of its own before each statement."""
    lines = text.splitlines()
    rows = {
        min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.stmt)
    }
    for row in sorted(rows, reverse=True):
        line = lines[row - 1]
        indent = line[: len(line) - len(line.lstrip())]
        lines.insert(row - 1, f"{indent}#:{row}")
    return "\n".join(lines) + "\n"


def _is_bare(line: str) -> bool:
    """Whether a line is empty, or a comment that has no code before it."""
    return not line.strip() or line.lstrip().startswith("#")


def neighbours(text: str) -> dict[str, set[str]]:
    """The words of the code beside each comment: before it in its line, or else below it."""
    lines = text.splitlines()
    beside = {}
    for row, line in enumerate(lines):
        for comment in _COMMENT.findall(line):
            assert comment not in beside, "a comment is there twice"
            code = line.partition("#:")[0]
            # A decorator may come between: it belongs to what is below it.
            below = (
                one
                for one in lines[row + 1 :]
                if not _is_bare(one) and not one.lstrip().startswith("@")
            )
            beside[comment] = set(re.findall(r"\w+", code if code.strip() else next(below)))
    return beside


@pytest.mark.parametrize("commented", [behind, above])
@pytest.mark.parametrize("path", BREACHES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_comments_stay_beside_their_code(path: Path, commented: Callable[[str], str]) -> None:
    plain = _MARK.sub("", path.read_text(encoding="utf-8"))
    text = commented(plain)
    assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(plain))
    after, fixed = rewritten(text)
    before, found = neighbours(text), neighbours(after)
    assert before.keys() == found.keys()
    for comment, words in before.items():
        missing = words - found[comment] - _TAKEN
        assert not missing, f"{comment}: {sorted(words)} became {sorted(found[comment])}"
    assert [(one.rule.code, one.name) for one in fixed] == [
        (one.rule.code, one.name) for one in rewritten(plain)[1]
    ]
