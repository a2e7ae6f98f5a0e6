"""The core, without pytest: how a check is entered, and how all of them run on a module."""

import enum
import functools
import logging
import random
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import torch
from torch import nn

from .case import Case, Contract, Instance, seed_everything
from .rules import RULES, Blocked, ContractViolation, Finding, NotApplicable, Unwritten, finding
from .watches import line_of, place_of

Findings = Iterator[Finding]
CheckFunction = Callable[[Case], Findings]
Decorator = Callable[[CheckFunction], CheckFunction]

# A part of torch that it leaves without types.
_DETERMINISTIC: Any = torch.utils.deterministic


class Stage(enum.IntEnum):
    """What is known of a module once the checks that find causes have passed, step by step.

    What fails in one of them would only be repeated, less clearly, by the checks after it.
    """

    BUILT = 1  # it exists, and all that it holds is registered and has values
    RUNS = 2  # forward returns what it should, and makes and changes nothing that it should not
    STEADY = 3  # and again on any device, with nothing left behind
    SOUND = 4  # and a state dict holds all that decides it


BUILT, RUNS, STEADY, SOUND = Stage


@dataclass(frozen=True)
class Check:
    """A check that every module inherits as `test_<name>`; its function yields its findings."""

    name: str
    function: CheckFunction
    # What it waits for: names of checks, and stages, which stand for all their checks.
    after: tuple[str | Stage, ...]
    # The stage that it belongs to, if it finds causes of what others find.
    proves: Stage | None = None
    calls_forward: bool = True  # one that is written, that is
    slow: bool = False  # it takes seconds
    # The rules that it would name again, or misname, where a check that it waits for has found
    # them; None for any finding at all, as of a check that sees effects.
    repeats: Collection[str] | None = None
    stops: bool = False  # nothing else can be seen where it finds something
    # What it finds is wrong where `forward` does it, not where `__init__` makes the attribute.
    in_forward: bool = False
    of_calls: bool = False  # it holds, and matters, of a module that is only called
    advice: bool = False  # it is asked of generated code only (`strict`)

    def is_asked_of(self, contract: Contract) -> bool:
        """Whether it is for a module of that kind."""
        return (self.of_calls or not contract.only_called) and (contract.strict or not self.advice)


CHECKS: dict[str, Check] = {}


def check(*after: str | Stage, **traits: Any) -> Decorator:
    """Add a function to the suite; the arguments are the attributes of `Check`."""

    def add(function: CheckFunction) -> CheckFunction:
        name = function.__name__
        CHECKS[name] = Check(name, function, after, **traits)
        return function

    return add


def prerequisites(this: Check) -> list[Check]:
    """The checks that a check waits for."""
    last = max((entry for entry in this.after if isinstance(entry, Stage)), default=0)
    of_stages = [one for one in CHECKS.values() if one.proves and one.proves <= last]
    named = [CHECKS[entry] for entry in this.after if not isinstance(entry, Stage)]
    return [*sorted(of_stages, key=lambda one: one.proves or 0), *named]


def in_order() -> list[Check]:
    """All checks: those that find causes first, slow ones last."""
    found: dict[str, Check] = {}

    def add(this: Check) -> None:
        for one in prerequisites(this) if this.name not in found else ():
            add(one)
        found.setdefault(this.name, this)

    for this in sorted(CHECKS.values(), key=lambda one: (one.slow, one.proves or len(Stage) + 1)):
        add(this)
    return list(found.values())


def in_each_mode(function: Callable[[Case, bool], Iterable[Finding]]) -> CheckFunction:
    """Let a check look at training and at eval mode, and say once what it finds in both."""

    @functools.wraps(function)
    def in_all(case: Case) -> Findings:
        found: dict[str, Finding] = {}
        undecided = None
        for training in case.modes:
            try:
                for one in function(case, training):
                    found.setdefault(one.place or one.attribute, one)
            except NotApplicable as reason:
                undecided = reason
        if undecided and not found:
            raise undecided
        yield from found.values()

    return in_all


def run_checks(contract: Contract, *, slow: bool = False) -> list[Finding]:
    """Find every breach of a module; opt-outs count as they do under pytest.

    Args:
        contract: What is stated about the module.
        slow: Whether the checks that take seconds run too.
    """
    case = Case(contract)
    found = wrong_opt_outs(contract.opt_out)
    for this in in_order():
        if not is_left_out(contract, this) and (slow or not this.slow):
            outcome = outcome_of(case, this.name)
            if isinstance(outcome, ContractViolation):
                found.extend(outcome.findings)
            elif isinstance(outcome, Unwritten) and outcome.check == this.name:
                unwritten = finding("forward", f"is not written yet: {outcome}")
                found.append(replace(unwritten, check=this.name))
    return found


def wrong_opt_outs(opt_out: Mapping[str, str]) -> list[Finding]:
    """The entries that name no check or give no reason."""
    found = []
    for name, reason in opt_out.items():
        if name in RULES:
            fix = "Name the check that finds it: the name of its test without `test_`."
            found.append(finding(name, "is a rule, not a check", fix=fix))
        elif name not in CHECKS:
            close = get_close_matches(str(name), CHECKS, 1)
            fix = f"Did you mean `{close[0]}`?" if close else f"There are {', '.join(CHECKS)}."
            found.append(finding(str(name), "there is no check of that name", fix=fix))
        elif not isinstance(reason, str) or not reason.strip():
            found.append(finding(name, "has no reason", fix="Say why the module cannot keep it."))
    return [replace(one, check="opt_outs") for one in found]


def is_left_out(contract: Contract, this: Check) -> bool:
    return this.name in contract.opt_out or not this.is_asked_of(contract)


def outcome_of(case: Case, name: str) -> Exception | None:
    """Run a check once for a case: None if it passes, else why it does not."""
    if name not in case.outcomes:
        case.outcomes[name] = obstacle(case, CHECKS[name]) or run(case, CHECKS[name])
    return case.outcomes[name]


def obstacle(case: Case, this: Check) -> Exception | None:
    """Why a check must wait: an earlier one failed, or `forward` is not written yet."""
    for one in prerequisites(this):
        outcome = None if is_left_out(case.contract, one) else outcome_of(case, one.name)
        if isinstance(outcome, ContractViolation):
            codes = [found.code for found in outcome.findings]
            named = ", ".join(dict.fromkeys(code or one.name for code in codes))
            reason = f"waits for test_{one.name} ({named})"
            outcome = Blocked(reason, [None] if one.stops else codes)
        # After a finding without a rule nothing else can be seen either.
        known = None if this.repeats is None else {*this.repeats, None}
        if isinstance(outcome, Unwritten) or (
            isinstance(outcome, Blocked) and (known is None or known & outcome.codes)
        ):
            return outcome
    return None


def run(case: Case, this: Check) -> Exception | None:
    """Run one check by itself, leaving no trace of it behind."""
    with isolated():
        try:
            found = list(this.function(case))
        except NotApplicable as outcome:
            return outcome.with_traceback(None)
        except Unwritten as outcome:
            outcome.check = this.name
            return outcome
        except (Exception, SystemExit) as error:
            found = [unexpected(error)]
        found = [replace(one, check=this.name) for one in found]
        return ContractViolation(located(case, found, this.in_forward)) if found else None


@contextmanager
def isolated() -> Iterator[None]:
    """Run a check with fixed seeds and put every global setting of torch back afterwards."""
    # Asking an idle CUDA for its random state would start it, on every device.
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    # Torch writes its trace whatever level is set: only its logger as a whole can be turned off.
    trace = logging.getLogger("torch.__trace")
    with ExitStack() as stack, torch.random.fork_rng(devices=devices), warnings.catch_warnings():
        stack.callback(random.setstate, random.getstate())
        if numpy := sys.modules.get("numpy"):
            stack.callback(numpy.random.set_state, numpy.random.get_state())
        fill = _DETERMINISTIC.fill_uninitialized_memory
        stack.callback(setattr, _DETERMINISTIC, "fill_uninitialized_memory", fill)
        enabled = torch.are_deterministic_algorithms_enabled()
        warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
        stack.callback(torch.use_deterministic_algorithms, enabled, warn_only=warn_only)
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        stack.callback(torch.set_grad_enabled, torch.is_grad_enabled())
        stack.callback(logging.disable, logging.root.manager.disable)
        stack.callback(setattr, trace, "disabled", trace.disabled)
        seed_everything(0)
        torch.set_grad_enabled(True)
        # What torch's compilers and exporters log of their own work is not for a test's report.
        logging.disable(logging.WARNING)
        trace.disabled = True
        # Torch warns about its own experimental parts; under `-W error` that would fail a check.
        warnings.simplefilter("ignore")
        yield


def located(case: Case, found: list[Finding], in_forward: bool) -> list[Finding]:
    """The findings with the lines of the author's that made their attributes."""
    if all(one.place for one in found):
        return found
    contract = case.contract
    try:
        module = contract.module if isinstance(contract, Instance) else case.raw_build()
    except (Exception, SystemExit) as _:
        return found
    if not isinstance(module, nn.Module):
        return found
    return [
        replace(one, place=one.place or str(line_of(module, one.attribute, in_forward) or ""))
        for one in found
    ]


def unexpected(error: BaseException, doing: str = "", fix: str = "") -> Finding:
    text = " ".join(str(error).split()).rstrip(".") or "no message"
    return finding(place_of(error) or "forward", f"{doing}{type(error).__name__}: {text}", fix=fix)
