"""The checker finds what is marked in the corpus, and nothing else; `corpus/README.md` explains it.

A mark is a comment at the end of the line at which the finding is shown: `# NN103`.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from nnscaffold.check.analysis import File, Index, Source, find, summarise
from nnscaffold.contract.rules import RULES

CORPUS = Path(__file__).parent / "corpus"
LOOK_ALIKES = Path(__file__).parent / "look_alikes"
FILES = sorted([*CORPUS.glob("*/*.py"), *LOOK_ALIKES.glob("*.py")])
OFF_BY_DEFAULT = {"NN502", "NN601", "NN602"}
_MARK = re.compile(r"  # (NN\d{3}(?: NN\d{3})*)$")


def _name(path: Path) -> str:
    return path.relative_to(CORPUS.parent).with_suffix("").as_posix()


def _judged(path: Path) -> set[str]:
    """The rules that count in a file: those on by default, and the one that its folder is for."""
    return {*RULES} - OFF_BY_DEFAULT | {path.parent.name}


def marked(text: str) -> set[tuple[int, str]]:
    """Line and code of each finding that a file announces."""
    return {
        (number, code)
        for number, line in enumerate(text.splitlines(), start=1)
        if (mark := _MARK.search(line))
        for code in mark[1].split()
    }


def found(path: Path, text: str) -> set[tuple[int, str]]:
    """Line and code of each finding of the checker that counts in the file."""
    file = File(Source(str(path), path.stem, text), ast.parse(text, filename=str(path)))
    findings = find(file, Index([summarise(file)]))
    judged = _judged(path)
    return {
        (finding.span.line, finding.rule.code)
        for finding in findings
        if finding.rule.code in judged
    }


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_findings_are_those_marked(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert sorted(found(path, text)) == sorted(marked(text))


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES.values() if rule.static], ids=lambda rule: rule.code
)
def test_each_rule_has_breaches_and_look_alikes(rule) -> None:
    breaches = (CORPUS / rule.code / "breaches.py").read_text(encoding="utf-8")
    correct = (CORPUS / rule.code / "correct.py").read_text(encoding="utf-8")
    assert len(marked(breaches)) >= 4
    assert {code for _, code in marked(breaches)} == {rule.code}
    assert marked(correct) == set()
    assert len(re.findall(r"^(?:class|def|@)", correct, re.MULTILINE)) >= 4
