"""The base class of a module's tests: the checks of the core, each a test of pytest."""

from collections.abc import Callable
from typing import ClassVar, NoReturn

import pytest

from .core import CHECKS, Case, Check, Contract, in_order, is_echo, outcome_of, wrong_opt_outs
from .findings import Blocked, ContractViolation, NotApplicable

OPEN = "waits for test_forward (not written yet)"
_CASE = pytest.StashKey[Case]()


class ModuleContract(Contract):
    """Inherit from it, say how the module is built and called, and every check is a test.

    Attributes:
        forward_marks: Marks for the checks that call a `forward` which is not written yet.
    """

    forward_marks: ClassVar[tuple[pytest.MarkDecorator, ...]] = ()
    strict = True

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


for _check in in_order():
    setattr(ModuleContract, f"test_{_check.name}", as_test(_check))
