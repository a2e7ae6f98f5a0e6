"""The base class of a module's tests: the checks of the core, each a test of pytest."""

from collections.abc import Callable
from typing import Any, ClassVar, NoReturn, Unpack

import pytest
from torch import nn

from .case import Case, Contract
from .core import CHECKS, Check, in_order, outcome_of, wrong_opt_outs
from .direct import Statements, refuse_wrong_inputs, stated
from .rules import Blocked, ContractViolation, NotApplicable, Unwritten

OPEN = "waits for test_forward (not written yet)"
_CASE = pytest.StashKey[Case]()
_STATED = ("build", "inputs", "strict", *Statements.__annotations__)


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


def report(case: Case, check: Check, owner: str, *, expected: bool = False) -> None:
    """Say as pytest wants it what a check finds: skip, raise or return.

    Args:
        case: The module and the outcomes of its checks so far.
        check: Which one is asked for.
        owner: What the report calls the module's tests.
        expected: Whether an unwritten `forward` is a failure that somebody has announced.
    """
    __tracebackhide__ = True
    if reason := case.contract.opt_out.get(check.name):
        leave_out(f"{owner} opts out of {check.name}: {reason}")
    if not check.is_asked_of(case.contract):
        leave_out(f"{check.name}: it is advice only (`strict = False`)")
    outcome = outcome_of(case, check.name)
    if isinstance(outcome, Blocked):
        leave_out(f"{owner} {outcome}")
    if isinstance(outcome, Unwritten):
        if outcome.check != check.name and not expected:
            leave_out(f"{owner} {OPEN}")
        raise outcome.error.with_traceback(None)
    if isinstance(outcome, NotApplicable):
        leave_out(f"{check.name}: {outcome}")
    if outcome is not None:
        raise outcome.with_traceback(None)


def as_test(check: Check) -> Callable[[ModuleContract, pytest.FixtureRequest], None]:
    """The method through which pytest runs a check."""

    def test(self: ModuleContract, request: pytest.FixtureRequest) -> None:
        __tracebackhide__ = True
        case = request.node.parent.stash.setdefault(_CASE, Case(self))
        report(case, check, type(self).__name__, expected=bool(marks_of(request)))

    test.__name__ = f"test_{check.name}"
    test.__qualname__ = f"ModuleContract.test_{check.name}"
    test.__doc__ = check.function.__doc__
    return pytest.mark.slow(test) if check.slow else test


for _check in in_order():
    setattr(ModuleContract, f"test_{_check.name}", as_test(_check))


def contract_case(
    inputs: Any,
    **statements: Unpack[Statements],
) -> Callable[[Callable[..., nn.Module]], type[ModuleContract]]:
    """Make tests of a function that builds a module; the arguments are those of `check_module`.

    Where the function takes `device` and `dtype`, the checks of both call it with them. pytest
    collects what comes out under the function's name.
    """
    refuse_wrong_inputs(inputs)

    def make(build: Callable[..., nn.Module]) -> type[ModuleContract]:
        if isinstance(build, type | nn.Module):
            name = build.__name__ if isinstance(build, type) else type(build).__name__
            what = f"decorate a function that returns {name}(...), whose name the tests get"
            raise TypeError(f"contract_case needs a function: {what}")
        contract = stated(build, inputs, **statements)
        members = {name: getattr(contract, name) for name in _STATED}
        members |= {"__test__": True, "__doc__": build.__doc__, "__module__": build.__module__}
        return type(build.__name__, (ModuleContract,), members)

    return make
