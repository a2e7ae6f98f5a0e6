"""What the rules' fixes make of the corpus: code that parses, and in which they find nothing."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
from rewriting import findings_of, rewritten

from nnscaffold.contract.rules import RULES

CORPUS = Path(__file__).parent / "corpus"
BREACHES = sorted([*CORPUS.glob("*/breaches.py"), *CORPUS.glob("reports/*.py")])


def comments(text: str) -> list[str]:
    return sorted(line.partition("#")[2].strip() for line in text.splitlines() if "#" in line)


@pytest.mark.parametrize("path", BREACHES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_fix_clears_its_finding_and_makes_no_other(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    after, fixed = rewritten(text)
    ast.parse(after)
    assert comments(after) == comments(text)
    left = Counter((one.rule.code, one.name) for one in findings_of(after))
    before = Counter((one.rule.code, one.name) for one in findings_of(text))
    for one in fixed:
        before[one.rule.code, one.name] -= 1
    assert left == +before
    assert rewritten(after) == (after, [])


@pytest.mark.parametrize("code", [code for code, rule in RULES.items() if rule.static])
def test_a_rule_is_marked_as_fixable_if_it_is(code: str) -> None:
    text = (CORPUS / code / "breaches.py").read_text(encoding="utf-8")
    fixes = [one.fix for one in findings_of(text) if one.rule.code == code]
    assert any(fixes) is RULES[code].fixable


def test_a_tensor_that_should_learn_is_left_to_its_author() -> None:
    text = (CORPUS / "NN201" / "breaches.py").read_text(encoding="utf-8")
    (found,) = (one for one in findings_of(text) if one.name == "ShouldLearn.scale")
    assert found.fix is None
    assert "should be a parameter" in found.message
