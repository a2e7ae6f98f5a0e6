"""What `explain` knows: the document of the contract, a section for each rule."""

from __future__ import annotations

import pytest

from nnscaffold.check.documentation import find_rules, is_on, section
from nnscaffold.check.errors import BadRequest
from nnscaffold.check.selection import ALL_RULES


@pytest.mark.parametrize(
    ("word", "codes"),
    [
        ("nn103", ["NN103"]),
        ("Module-In-Container", ["NN103"]),
        ("unused-noqa", ["unused-noqa"]),
        ("NN20", [f"NN20{number}" for number in range(1, 10)]),
        ("nn6", ["NN601", "NN602"]),
    ],
)
def test_rules_are_found_by_code_by_its_beginning_and_by_name(word: str, codes: list[str]) -> None:
    assert [rule.code for rule in find_rules(word)] == codes


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("NN13", "NN1"),
        ("NN1O3", "`NN103`"),
        ("module-in-contaner", "module-in-container"),
        ("module_in_container", "module-in-container"),
        ("NN999", "lists"),  # no rule is nearer than another
        ("x", "lists"),
        ("N", "lists"),
        ("", "lists"),
    ],
)
def test_an_unknown_rule_is_answered_with_the_nearest(word: str, near: str) -> None:
    with pytest.raises(BadRequest, match=near):
        find_rules(word)


def test_sections_hold_what_belongs_to_them() -> None:
    text = section("NN103")
    assert "plain list" in text
    assert "nn.ModuleList" in text
    assert "### " not in text
    assert section("unused-noqa")


def test_matters_of_taste_are_off_by_default() -> None:
    off = {code for code, rule in ALL_RULES.items() if rule.static and not is_on(rule)}
    assert off == {"NN502", "NN601", "NN602"}
