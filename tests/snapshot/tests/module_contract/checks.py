"""The list of checks: each a function with a name, what it needs and what it waits for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .case import Case
from .findings import (
    Blocked,
    ContractViolation,
    Finding,
    NotApplicable,
    finding,
    report,
)
from .isolation import isolated
from .source import place_of

Findings = Iterator[Finding]
CheckFunction = Callable[[Case], Findings]


@dataclass(frozen=True)
class Check:
    """A check that every module inherits as `test_<name>`."""

    name: str
    function: CheckFunction
    calls_forward: bool
    slow: bool
    after: tuple[str, ...]


CHECKS: dict[str, Check] = {}

# The checks that find causes, in the order in which one breach shows: what fails in one of them
# would only be repeated, less clearly, by the checks after it.
BUILT = ("construction", "registry", "initialisation")
RUNS = (*BUILT, "forward", "creation", "unchanged_inputs")
SOUND = (*RUNS, "host_fetches", "devices", "retained_state", "eval_determinism", "state_dict")


def check(
    *,
    after: tuple[str, ...],
    calls_forward: bool = True,
    slow: bool = False,
) -> Callable[[CheckFunction], CheckFunction]:
    """Add a function to the suite; it yields its findings."""

    def add(function: CheckFunction) -> CheckFunction:
        name = function.__name__
        CHECKS[name] = Check(name, function, calls_forward, slow, after)
        return function

    return add


def checks_of(family: str) -> list[Check]:
    """The checks that one file of the suite defines, in its order."""
    return [this for this in CHECKS.values() if this.function.__module__ == family]


def outcome_of(case: Case, name: str) -> Exception | None:
    """Run a check once for a case: None if it passes, else why it does not."""
    if name not in case.outcomes:
        case.outcomes[name] = obstacle(case, CHECKS[name]) or run(case, CHECKS[name])
    return case.outcomes[name]


def obstacle(case: Case, this: Check) -> Exception | None:
    """Why a check must wait: an earlier one failed, or `forward` is not written yet."""
    for name in this.after:
        if name in case.contract.opt_out:
            continue
        outcome = outcome_of(case, name)
        if isinstance(outcome, ContractViolation):
            codes = dict.fromkeys(found.code or found.check for found in outcome.findings)
            return Blocked(f"waits for test_{name} ({', '.join(codes)})")
        if isinstance(outcome, NotImplementedError | Blocked):
            return outcome
    return None


def run(case: Case, this: Check) -> Exception | None:
    """Run one check by itself, leaving no trace of it behind."""
    try:
        with isolated():
            report(this.function(case))
    except (ContractViolation, NotApplicable) as outcome:
        return outcome.with_traceback(None)
    except Exception as error:
        if this.name == "forward" and isinstance(error, NotImplementedError):
            return error
        return ContractViolation([unexpected(this.name, error)])
    return None


def unexpected(name: str, error: Exception, doing: str = "") -> Finding:
    """A finding about an exception that the module raised during a check."""
    text = " ".join(str(error).split()) or "no message"
    return finding(name, place_of(error), f"{doing}{type(error).__name__}: {text}")
