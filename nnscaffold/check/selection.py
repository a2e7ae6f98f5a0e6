"""Which rules are on: by code, by a prefix of it, by name, or all."""

from __future__ import annotations

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
STATIC_RULES = {code: rule for code, rule in RULES.items() if rule.static} | {
    UNUSED_NOQA.code: UNUSED_NOQA
}
ALL = "ALL"
# Matters of taste in code that this tool did not generate.
OFF_BY_DEFAULT = frozenset({"NN502", "NN601", "NN602"})


def parse_selectors(words: Iterable[str], where: str) -> tuple[str, ...]:
    """Codes, prefixes and names of rules, as somebody wrote them.

    Args:
        words: Each may hold several, divided by commas.
        where: Where they come from, for the error: an option, or a file and a key.

    Raises:
        BadRequest: No rule is meant by one of them.
    """
    selectors = tuple(part.strip() for word in words for part in word.split(",") if part.strip())
    for selector in selectors:
        only_tests = [rule for rule in _known() if _matches(selector, rule)]
        if only_tests and not any(rule.static for rule in only_tests):
            raise BadRequest(
                "rule-of-tests",
                f"{where} names `{selector}`, which only running a module can find.",
                "`nnscaffold explain` says which test of the suite does.",
            )
        if selector != ALL and not any(_matches(selector, rule) for rule in _known()):
            names = [word for rule in _known() for word in (rule.code, rule.name)]
            question = closest(selector, [*names, ALL])
            raise BadRequest(
                "rule-unknown",
                f"{where} names `{selector}`, which is not a rule.",
                question or "`nnscaffold explain` lists the rules.",
            )
    return selectors


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


def _known() -> list[Rule]:
    return [*RULES.values(), UNUSED_NOQA]


def _matches(selector: str, rule: Rule) -> bool:
    return selector == rule.name or rule.code.startswith(selector)


def _weight(selector: str, rule: Rule) -> int:
    """How precisely a selector means a rule; -1: not at all."""
    if selector == ALL:
        return 0
    if selector == rule.name:
        return len(rule.code)
    return len(selector) if rule.code.startswith(selector) else -1
