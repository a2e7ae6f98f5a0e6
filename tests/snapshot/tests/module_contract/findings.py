"""What a check says: a finding, a violation made of findings, or a reason not to apply."""

from collections.abc import Iterable
from dataclasses import dataclass

from .rules import RULES, Rule


@dataclass(frozen=True)
class Finding:
    """One breach: the rule (if one names it), where it is, what is wrong and how to mend it."""

    check: str
    path: str
    problem: str
    rule: Rule | None = None
    advice: str = ""

    @property
    def code(self) -> str | None:
        """The rule's code, or None for a fault that only this check's name describes."""
        return self.rule.code if self.rule else None

    def __str__(self) -> str:
        """Say it in one line: rule, place, what is wrong, and the mend."""
        label = f"{self.rule.code} {self.rule.name}" if self.rule else self.check
        mend = self.advice or (self.rule.mend if self.rule else "")
        return f"{label}: {self.path}: {self.problem}. {mend}".rstrip()


class ContractViolation(AssertionError):
    """The module breaks the contract; the text names rule, place and mend."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        """Join the findings, one a line, into the message."""
        self.findings = tuple(dict.fromkeys(findings))
        super().__init__("\n".join(str(finding) for finding in self.findings))


class NotApplicable(Exception):
    """The check has nothing to say about this module, for the reason given."""


class Blocked(NotApplicable):
    """The check waits until an earlier one passes: its own answer would only echo that one."""


def finding(check: str, path: str, problem: str, code: str = "", advice: str = "") -> Finding:
    """A finding of a check, with the rule of that code."""
    return Finding(check, path, problem, RULES[code] if code else None, advice)


def report(findings: Iterable[Finding]) -> None:
    """Raise one violation if there is at least one finding."""
    found = tuple(findings)
    if found:
        raise ContractViolation(found)
