"""Which rules are on: by code, by a prefix of it, by name, or all."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from nnscaffold.check.errors import BadRequest, closest
from nnscaffold.contract.rules import RULES, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

# Not of the contract: it concerns the comments that silence the contract.
UNUSED_NOQA = Rule(
    "unused-noqa",
    "unused-noqa",
    "warning",
    static=True,
    runtime=False,
    fixable=True,
    fix="Remove the code from the comment.",
)
ALL_RULES = {**RULES, UNUSED_NOQA.code: UNUSED_NOQA}
STATIC_RULES = {code: rule for code, rule in ALL_RULES.items() if rule.static}
ALL = "ALL"
_PREFIX = re.compile(r"NN\d*")
# Matters of taste in code that this tool did not generate.
OFF_BY_DEFAULT = frozenset({"NN502", "NN601", "NN602"})


def parse_selectors(words: Iterable[str], where: str) -> tuple[str, ...]:
    """The codes, prefixes and names of rules that somebody wrote, in small or capital letters.

    Args:
        words: Each may hold several, divided by commas.
        where: Where they come from, for the error: an option, or a file and a key.

    Returns:
        Codes, prefixes of codes and `ALL` in capitals, names in small letters.

    Raises:
        BadRequest: No rule is meant by one of them, or one is empty.
    """
    return tuple(_parse(part.strip(), where) for word in words for part in word.split(","))


def _parse(word: str, where: str) -> str:
    if not word:
        raise BadRequest(
            "rule-unknown",
            f"{where} has an empty name of a rule.",
            "Leave it out, or check the variable that it comes from.",
        )
    if word.upper() == ALL:
        return ALL
    meant = rules_of(word)
    if not meant:
        raise BadRequest(
            "rule-unknown", f"{where} names `{word}`, which is not a rule.", nearest_rule(word)
        )
    if not any(rule.static for rule in meant):
        raise BadRequest(
            "rule-of-tests",
            f"{where} names `{word}`, which only running a module can find.",
            "`nnscaffold explain` says which test of the suite does.",
        )
    return word.lower() if word.lower() == meant[0].name else word.upper()


def rules_of(word: str) -> list[Rule]:
    """The rules that a code, the beginning of codes or a name means, in any letters.

    Rules that only running a module finds are among them.
    """
    if _PREFIX.fullmatch(word.upper()):
        return [rule for rule in ALL_RULES.values() if rule.code.startswith(word.upper())]
    return [rule for rule in ALL_RULES.values() if rule.name == word.lower()]


def nearest_rule(word: str) -> str:
    """What to say to somebody whose word means no rule."""
    names = [name for rule in ALL_RULES.values() for name in (rule.code, rule.name)]
    near = closest(word.upper(), names) or closest(word.lower().replace("_", "-"), names)
    return near or "`nnscaffold explain` lists the rules."


@lru_cache
def enabled(
    select: tuple[str, ...] | None, extend: tuple[str, ...], ignore: tuple[str, ...]
) -> frozenset[str]:
    """The codes that are on; where selectors disagree the longer one counts, then `ignore`."""

    def is_on(rule: Rule) -> bool:
        chosen = max((_weight(each, rule) for each in (*(select or ()), *extend)), default=-1)
        if select is None and rule.code not in OFF_BY_DEFAULT:
            chosen = max(chosen, 0)
        return chosen > max((_weight(each, rule) for each in ignore), default=-1)

    return frozenset(code for code, rule in STATIC_RULES.items() if is_on(rule))


def _weight(selector: str, rule: Rule) -> int:
    """How precisely a selector means a rule; -1: not at all."""
    if selector == ALL:
        return 0
    if selector == rule.name:
        return len(rule.code)
    return len(selector) if rule.code.startswith(selector) else -1
