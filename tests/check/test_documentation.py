"""What `explain` knows: the document of the contract, a section for each rule."""

from __future__ import annotations

import pytest

from nnscaffold.check.documentation import ALL_RULES, find_rule, is_on, section
from nnscaffold.check.errors import BadRequest


def test_rules_are_found_by_code_and_by_name() -> None:
    assert find_rule("nn103").name == "module-in-container"
    assert find_rule("Module-In-Container").code == "NN103"
    assert find_rule("unused-noqa").code == "unused-noqa"


@pytest.mark.parametrize(
    ("word", "near"),
    [("NN13", "NN1"), ("module-in-contaner", "module-in-container"), ("x", "lists")],
)
def test_an_unknown_rule_is_answered_with_the_nearest(word: str, near: str) -> None:
    with pytest.raises(BadRequest, match=near):
        find_rule(word)


def test_sections_hold_what_belongs_to_them() -> None:
    text = section("NN103")
    assert "plain list" in text
    assert "nn.ModuleList" in text
    assert "### " not in text
    assert section("unused-noqa")


def test_matters_of_taste_are_off_by_default() -> None:
    off = {code for code, rule in ALL_RULES.items() if rule.static and not is_on(rule)}
    assert off == {"NN502", "NN601", "NN602"}
