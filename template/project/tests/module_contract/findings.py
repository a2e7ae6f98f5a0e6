"""The findings in which a check names what is wrong."""

from collections.abc import Iterable
from dataclasses import dataclass

from .rules import RULES, Rule


class Place(str):
    """A line of the author's source: `file:line`."""

    __slots__ = ()


@dataclass(frozen=True)
class Finding:
    """One breach: the rule (if one names it), where it is, what is wrong and how to fix it.

    Attributes:
        attribute: The path of an attribute or tensor, or a name such as `forward`; may be empty.
        place: `file:line` in the author's source; empty where it is not known.
        problem: What is wrong.
        fix: What to do about it: the rule's own advice, or one that fits the case better.
        rule: The rule; None for a fault that only the check's name describes.
        check: The name of the check that found it.
    """

    attribute: str
    place: str
    problem: str
    fix: str
    rule: Rule | None = None
    check: str = ""

    @property
    def code(self) -> str | None:
        return self.rule.code if self.rule else None

    @property
    def name(self) -> str:
        """The rule's name, or the check's where no rule names it."""
        return self.rule.name if self.rule else self.check

    @property
    def message(self) -> str:
        """What is wrong, as a sentence of its own."""
        return f"{self.attribute}: {self.problem}." if self.attribute else f"{self.problem}."

    def __str__(self) -> str:
        label = self.rule.title if self.rule else self.check
        parts = [part for part in (label, self.place, self.attribute) if part]
        return f"{': '.join(parts)}: {self.problem}. {self.fix}".rstrip()


class ContractViolation(AssertionError):
    """The module breaks the contract; the text names rule, place and fix."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(dict.fromkeys(findings))
        super().__init__("\n".join(str(finding) for finding in self.findings))


class NotApplicable(Exception):
    """The check has nothing to say about this module, for the reason given."""


def require(condition: object, reason: str) -> None:
    """Leave the check, for this reason, where the condition is not met."""
    if not condition:
        raise NotApplicable(reason)


class Blocked(NotApplicable):
    """The check waits until an earlier one passes: it would only repeat what that one found."""

    def __init__(self, reason: str, codes: Iterable[str | None]) -> None:
        super().__init__(reason)
        self.codes = frozenset(codes)


def finding(where: str, problem: str, code: str = "", fix: str = "") -> Finding:
    """A finding at a place or an attribute, with the rule of that code."""
    rule = RULES[code] if code else None
    attribute, place = ("", str(where)) if isinstance(where, Place) else (where, "")
    return Finding(attribute, place, problem, fix or (rule.fix if rule else ""), rule)
