"""The base class of a module's tests, and the same checks as a plain function."""

from collections.abc import Callable, Mapping
from typing import ClassVar

import pytest

from . import (
    compilers,
    construction,
    cuda,
    devices,
    gradients,
    initialisation,
    inputs,
    modes,
    outputs,
    parallel,
    precision,
    registration,
    representation,
    side_effects,
    state,
    transforms,
)
from .case import Case, Contract
from .checks import CHECKS, Check, checks_of, outcome_of
from .findings import ContractViolation, Finding, NotApplicable, finding

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
    parallel,
    cuda,
    compilers,
)
_CASE = pytest.StashKey[Case]()


class ModuleContract(Contract):
    """Inherit from it, say how the module is built and called, and every check is a test.

    Attributes:
        forward_marks: Marks for the checks that call a `forward` which is not written yet.
    """

    forward_marks: ClassVar[tuple[pytest.MarkDecorator, ...]] = ()

    @pytest.fixture(autouse=True)
    def _mark_forward(self, request: pytest.FixtureRequest) -> None:
        """Give `forward_marks`, of the class or its file, to the checks that call forward."""
        name = request.function.__name__.removeprefix("test_")
        if name in CHECKS and CHECKS[name].calls_forward:
            for holder in (request.cls, request.module):
                for mark in getattr(holder, "forward_marks", ()):
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


def as_test(check: Check) -> Callable[[ModuleContract, pytest.FixtureRequest], None]:
    """The method through which pytest runs a check."""

    def test(self: ModuleContract, request: pytest.FixtureRequest) -> None:
        __tracebackhide__ = True
        if reason := self.opt_out.get(check.name):
            pytest.skip(f"{type(self).__name__} opts out of {check.name}: {reason}")
        stash = request.node.parent.stash
        case = stash.setdefault(_CASE, Case(self))
        outcome = outcome_of(case, check.name)
        if isinstance(outcome, NotApplicable):
            pytest.skip(f"{check.name}: {outcome}")
        if outcome is not None:
            raise outcome.with_traceback(None)

    test.__name__ = f"test_{check.name}"
    test.__qualname__ = f"ModuleContract.test_{check.name}"
    test.__doc__ = check.function.__doc__
    return pytest.mark.slow(test) if check.slow else test


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
        elif isinstance(outcome, NotImplementedError):
            found.append(finding(check.name, "forward", f"is not written yet: {outcome}"))
    return found
