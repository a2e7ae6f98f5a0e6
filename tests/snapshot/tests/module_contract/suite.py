"""The base class of a module's tests, and the same checks as a plain function."""

from collections.abc import Callable, Mapping
from typing import ClassVar, NoReturn

import pytest

from . import (
    compilers,
    construction,
    cuda,
    devices,
    examples,
    exporters,
    gradients,
    initialisation,
    inputs,
    modes,
    outputs,
    parallel,
    precision,
    processes,
    registration,
    representation,
    side_effects,
    state,
    transforms,
)
from .case import Case, Contract
from .checks import CHECKS, Check, checks_of, outcome_of
from .findings import Blocked, ContractViolation, Finding, NotApplicable, finding

# The order of the tests: what is the matter first, then what follows from it.
FAMILIES = (
    construction,
    registration,
    initialisation,
    outputs,
    side_effects,
    devices,
    modes,
    gradients,
    state,
    precision,
    inputs,
    transforms,
    representation,
    examples,
    parallel,
    cuda,
    compilers,
    exporters,
    processes,
)
OPEN = "waits for test_forward (not written yet)"
_CASE = pytest.StashKey[Case]()


class ModuleContract(Contract):
    """Inherit from it, say how the module is built and called, and every check is a test.

    Attributes:
        forward_marks: Marks for the checks that call a `forward` which is not written yet.
    """

    forward_marks: ClassVar[tuple[pytest.MarkDecorator, ...]] = ()

    @pytest.fixture(autouse=True)
    def _mark_forward(self, request: pytest.FixtureRequest) -> None:
        """Give `forward_marks` to the checks that call forward, and to no other test."""
        name = request.function.__name__.removeprefix("test_")
        if name in CHECKS and CHECKS[name].calls_forward:
            for mark in marks_of(request):
                request.node.add_marker(mark)

    def test_opt_outs(self) -> None:
        """Every opt-out names a check and gives a reason."""
        __tracebackhide__ = True
        if found := wrong_opt_outs(self.opt_out):
            raise ContractViolation(found)


def wrong_opt_outs(opt_out: Mapping[str, str]) -> list[Finding]:
    """The entries that name no check or give no reason."""
    found = []
    for name, reason in opt_out.items():
        if name not in CHECKS:
            advice = f"The checks are: {', '.join(CHECKS)}."
            found.append(finding("opt_outs", name, "there is no check of that name", advice=advice))
        elif not isinstance(reason, str) or not reason.strip():
            advice = "Say why the module cannot keep it."
            found.append(finding("opt_outs", name, "has no reason", advice=advice))
    return found


def marks_of(request: pytest.FixtureRequest) -> list[pytest.MarkDecorator]:
    """The `forward_marks` of a test's class and of its file."""
    holders = (request.cls, request.module)
    return [mark for holder in holders for mark in getattr(holder, "forward_marks", ())]


def leave_out(reason: str) -> NoReturn:
    """Skip a test; a frame that pytest sees, so that it reports this file as the place."""
    pytest.skip(reason)


def as_test(check: Check) -> Callable[[ModuleContract, pytest.FixtureRequest], None]:
    """The method through which pytest runs a check."""

    def test(self: ModuleContract, request: pytest.FixtureRequest) -> None:
        __tracebackhide__ = True
        name = type(self).__name__
        if reason := self.opt_out.get(check.name):
            leave_out(f"{name} opts out of {check.name}: {reason}")
        case = request.node.parent.stash.setdefault(_CASE, Case(self))
        outcome = outcome_of(case, check.name)
        if isinstance(outcome, Blocked) or (is_echo(check, outcome) and not marks_of(request)):
            leave_out(f"{name} {outcome if isinstance(outcome, Blocked) else OPEN}")
        if isinstance(outcome, NotApplicable):
            leave_out(f"{check.name}: {outcome}")
        if outcome is not None:
            raise outcome.with_traceback(None)

    test.__name__ = f"test_{check.name}"
    test.__qualname__ = f"ModuleContract.test_{check.name}"
    test.__doc__ = check.function.__doc__
    return pytest.mark.slow(test) if check.slow else test


def is_echo(check: Check, outcome: Exception | None) -> bool:
    """Whether it only repeats that `forward` is not written, which `test_forward` says."""
    return isinstance(outcome, NotImplementedError) and check.name != "forward"


for _family in FAMILIES:
    for _check in checks_of(_family.__name__):
        setattr(ModuleContract, f"test_{_check.name}", as_test(_check))


def run_checks(contract: Contract, *, slow: bool = False) -> list[Finding]:
    """Find every breach of a module without pytest; opt-outs count as they do there."""
    case = Case(contract)
    found = wrong_opt_outs(contract.opt_out)
    for check in CHECKS.values():
        if check.name in contract.opt_out or (check.slow and not slow):
            continue
        outcome = outcome_of(case, check.name)
        if isinstance(outcome, ContractViolation):
            found.extend(outcome.findings)
        elif isinstance(outcome, NotImplementedError) and not is_echo(check, outcome):
            found.append(finding(check.name, "forward", f"is not written yet: {outcome}"))
    return found
