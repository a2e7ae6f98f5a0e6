"""The core, without pytest: what an author states of a module, and the checks that run on it."""

import copy
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .findings import Blocked, ContractViolation, Finding, NotApplicable, finding, require
from .isolation import isolated, seed_everything
from .tree import (
    apply,
    batch_axis,
    convert,
    extrapolated,
    is_lazy,
    shapes,
    state_of,
    stated_shapes,
    tensors,
)
from .watches import line_of, place_of

BATCH = 3
INPUT_SEED = 1000
NO_SHAPES = "a lazy module has no shapes before its first forward"


class Contract:
    """What an author states about a module; `ModuleContract` makes tests of it.

    Attributes:
        parameter_count: The number of parameter elements, all of them trainable.
        parameter_shapes: Names and shapes of all parameters, if those are to be stated.
        opt_out: Checks that this module leaves out, each with the reason for it.
        torchscript: Whether the module promises to work with TorchScript.
    """

    parameter_count: ClassVar[int | None] = None
    parameter_shapes: ClassVar[Mapping[str, tuple[int, ...]] | None] = None
    opt_out: ClassVar[Mapping[str, str]] = {}
    torchscript: ClassVar[bool] = False
    # Whether advice fails too, as in generated code: what `repr` shows, examples in docstrings, and
    # a batch of none that torch cannot reshape. Nearly every published package would fail it.
    strict: ClassVar[bool] = False
    # In which modes a check calls forward that has no mode of its own: training, eval.
    _modes: ClassVar[tuple[bool, ...]] = (True, False)
    # The checks that run, which wait for one another alone; all of them where none is named.
    _checks: ClassVar[tuple[str, ...]] = ()

    def build(self, *args: Any, **kwargs: Any) -> nn.Module:
        """Build the module; pass `device` and `dtype` on if the module takes them."""
        raise NotImplementedError

    def inputs(self, batch: int) -> Any:
        """Return forward's arguments for that many samples, on the CPU in the default dtype.

        A tuple holds them by position, a dictionary by name.
        """
        raise NotImplementedError

    def output_shape(self, batch: int) -> object:
        """Return the output's shape; a tuple or dictionary of shapes for such outputs.

        Where it is not stated, batches of 2 and 3 show what any other batch has to give.
        """
        return None


class Instance(Contract):
    """A module that exists already, a trained one say, which is copied instead of built.

    Args:
        module: The module; it is left as it is.
        inputs: An example of forward's arguments by name. Where all tensors in it are equally
            long, their first dimension is the batch.
    """

    _modes = (False,)
    # What holds of a module without its constructor, and matters where it is only called.
    _checks = (
        *("construction", "registry", "forward", "creation", "devices", "retained_state"),
        *("eval_determinism", "single_sample", "repetition"),
    )

    def __init__(self, module: nn.Module, inputs: Mapping[str, Any]) -> None:
        self.module = module
        self.example = dict(inputs)

    def build(self) -> nn.Module:
        """Copy the module."""
        return copy.deepcopy(self.module)

    def inputs(self, batch: int) -> Any:
        """Repeat the samples of the example until there are that many."""
        return repeated(self.example, batch)


def repeated(example: Any, batch: int) -> Any:
    """The samples of an example again and again, that many; all of it where it has no batch."""
    lengths = {tensor.shape[0] if tensor.dim() else 0 for _, tensor in tensors(example)}
    if len(lengths) != 1 or not all(lengths):
        return example
    rows = torch.arange(batch) % lengths.pop()
    return convert(example, lambda tensor: tensor[rows])


class Case:
    """One module with its inputs; every outcome is the same each time it is asked for."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.names = frozenset(contract._checks or CHECKS)
        self.modes = contract._modes
        self.outcomes: dict[str, Exception | None] = {}
        # What is expensive to make, kept by the check that made it for the ones that follow.
        self.kept: dict[object, Any] = {}

    def raw_build(self, **options: Any) -> nn.Module:
        """Build with a fixed seed; what the constructor raises comes through unchanged."""
        try:
            inspect.signature(self.contract.build).bind_partial(**options)
        except TypeError:
            raise NotApplicable(f"build() takes no `{', '.join(options)}`") from None
        seed_everything(0)
        return self.contract.build(**options)

    def build(self, *, training: bool = True, **options: Any) -> nn.Module:
        """Build with a fixed seed, in the mode asked for, lazy parameters given their shapes."""
        module = self.raw_build(**options)
        if is_lazy(module):
            require(options.get("device") is None, NO_SHAPES)
            module.eval()
            dtype = options.get("dtype") or torch.get_default_dtype()
            with torch.no_grad():
                apply(module, self.inputs(dtype=dtype))
        module.train(training)
        return module

    def from_meta(self) -> tuple[nn.Module, bool]:
        """Build on the meta device, `to_empty` and reset it; and whether it takes a `device`."""

        def emptied(module: nn.Module) -> nn.Module:
            require(not is_lazy(module), NO_SHAPES)
            module.to_empty(device="cpu")
            # Children first: what a parent does to them in its own reset comes last.
            return module.apply(lambda part: getattr(part, "reset_parameters", lambda: None)())

        try:
            return emptied(self.raw_build(device="meta")), True
        except NotApplicable:
            pass
        try:
            with torch.device("meta"):
                module = self.raw_build()
            require(any(value.is_meta for _, value in state_of(module)), "nothing is there")
            require(not any(value.is_meta for _, value in state_of(emptied(module))), "it stays")
        except Exception as error:
            raise NotApplicable(f"cannot come from the meta device: {error}") from None
        return module, False

    def inputs(
        self,
        batch: int = BATCH,
        *,
        seed: int = 0,
        dtype: torch.dtype | None = None,
        gradients: bool = False,
    ) -> Any:
        """Fresh inputs, the same for one seed; floating ones cast and made leaves if asked."""

        def prepare(tensor: Tensor) -> Tensor:
            prepared = tensor.detach().clone()
            if dtype is not None and prepared.is_floating_point():
                prepared = prepared.to(dtype)
            elif dtype is torch.float64 and prepared.is_complex():
                prepared = prepared.to(torch.complex128)
            differentiable = prepared.is_floating_point() or prepared.is_complex()
            return prepared.requires_grad_(gradients and differentiable)

        # Not the seed of the parameters, or inputs would have their values.
        seed_everything(INPUT_SEED + seed)
        inputs = self.contract.inputs(batch)
        if not isinstance(inputs, tuple | Mapping):
            raise TypeError("inputs(batch) must return a tuple or a dict of forward's arguments")
        return convert(inputs, prepare)

    def call(self, module: Callable[..., Any], inputs: Any = None, seed: int = 0) -> Any:
        """Call it with a fixed seed, on fresh inputs unless some are given."""
        inputs = self.inputs() if inputs is None else inputs
        seed_everything(seed)
        return apply(module, inputs)

    @torch.no_grad()
    def evaluate(self, module: Callable[..., Any], inputs: Any = None, seed: int = 0) -> Any:
        """Do the same without gradients."""
        return self.call(module, inputs, seed)

    def output_shape(self, batch: int = BATCH) -> object:
        """The shape of the output, stated or observed, as nested tuples and dictionaries."""
        stated = self.contract.output_shape(batch)
        if stated is not None:
            return extrapolated(stated, stated, batch)
        if "shapes" not in self.kept:
            self.kept["shapes"] = [
                shapes(self.evaluate(self.build(training=False), self.inputs(size)))
                for size in (2, 3)
            ]
        small, large = self.kept["shapes"]
        return extrapolated(small, large, batch)

    def input_axes(self) -> list[int | None]:
        small, large = ([one.shape for _, one in tensors(self.inputs(size))] for size in (2, 3))
        return [batch_axis(*pair) for pair in zip(small, large, strict=True)]

    def output_axes(self) -> list[int | None]:
        small, large = (stated_shapes(self.output_shape(size)) for size in (2, 3))
        return [batch_axis(*pair) for pair in zip(small, large, strict=True)]

    def require_batch(self, *, of_output: bool = True) -> None:
        """Leave the check if the inputs, or the outputs, do not depend on the batch."""
        require({*self.input_axes()} - {None}, "the inputs have no batch dimension")
        if of_output:
            require({*self.output_axes()} - {None}, "the output has no batch dimension")


Findings = Iterator[Finding]
CheckFunction = Callable[[Case], Findings]
Decorator = Callable[[CheckFunction], CheckFunction]


@dataclass(frozen=True)
class Check:
    """A check that every module inherits as `test_<name>`; it waits for those in `after`."""

    name: str
    function: CheckFunction
    calls_forward: bool
    slow: bool
    after: tuple[str, ...]


CHECKS: dict[str, Check] = {}

# The checks that find causes, in the order in which one breach shows: what fails in one of them
# would only be repeated, less clearly, by the checks after it.
BUILT = ("construction", "shared_defaults", "registry", "initialisation")
RUNS = (*BUILT, "forward", "creation", "unchanged_inputs")
STEADY = (*RUNS, "host_fetches", "devices", "retained_state", "eval_determinism")
SOUND = (*STEADY, "repetition", "state_dict")
# Most checks see effects, which an earlier finding explains. These see causes, and wait for the
# rules alone that they would name again, or misname; so that a second fault shows in the same run.
_NAMED_AGAIN: dict[str, frozenset[str]] = {
    **dict.fromkeys(("forward", "creation", "unchanged_inputs", "host_fetches"), frozenset()),
    **dict.fromkeys(("untracked_state", "single_sample"), frozenset()),
    **dict.fromkeys(("pickling", "ties", "nested_state_dict", "mode_switch"), frozenset()),
    **dict.fromkeys(("initialisation", "meta_initialisation"), frozenset({"NN108"})),
    "state_dict": frozenset({"NN209"}),
    "devices": frozenset({"NN103", "NN104", "NN105", "NN106", "NN107", "NN201", "NN404"}),
    "retained_state": frozenset({"NN105", "NN106", "NN401"}),
    "eval_determinism": frozenset({"NN103", "NN106", "NN108", "NN203"}),
    "gradients": frozenset({"NN105", "NN106", "NN108", "NN401"}),
    "changed_context": frozenset(
        {"NN105", "NN106", "NN108", "NN202", "NN203", "NN204", "NN206", "NN207", "NN401"}
    ),
    "precision": frozenset(
        {"NN103", "NN104", "NN106", "NN107", "NN108", "NN201", "NN206", "NN302", "NN401"}
    ),
}
# After these nothing else can be seen; nor after a finding without a rule.
_FATAL = frozenset({"NN101", "NN102", "NN110", "NN111", "NN301", None})
# What `forward` does to an attribute is wrong there, not where `__init__` makes it.
_OF_FORWARD = (
    *("retained_state", "repetition", "bounded_memory", "optimizer_step"),
    *("changed_context", "untracked_state"),
)


def check(*, after: tuple[str, ...], calls_forward: bool = True, slow: bool = False) -> Decorator:
    """Add a function to the suite; it yields its findings."""

    def add(function: CheckFunction) -> CheckFunction:
        name = function.__name__
        CHECKS[name] = Check(name, function, calls_forward, slow, after)
        return function

    return add


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


def in_order() -> list[Check]:
    """All checks: those that find causes first, slow ones last."""
    found = [CHECKS[name] for name in dict.fromkeys((*SOUND, *CHECKS))]
    return sorted(found, key=lambda this: this.slow)


def run_checks(contract: Contract, *, slow: bool = False) -> list[Finding]:
    """Find every breach of a module; opt-outs count as they do under pytest.

    Args:
        contract: What is stated about the module.
        slow: Whether the checks that take seconds run too.
    """
    case = Case(contract)
    found = wrong_opt_outs(contract.opt_out)
    for this in in_order():
        if this.name not in case.names or this.name in contract.opt_out or (this.slow and not slow):
            continue
        outcome = outcome_of(case, this.name)
        if isinstance(outcome, ContractViolation):
            found.extend(outcome.findings)
        elif isinstance(outcome, NotImplementedError) and not is_echo(this, outcome):
            unwritten = finding("forward", f"is not written yet: {outcome}")
            found.append(replace(unwritten, check=this.name))
    return found


def wrong_opt_outs(opt_out: Mapping[str, str]) -> list[Finding]:
    """The entries that name no check or give no reason."""
    found = []
    for name, reason in opt_out.items():
        if name not in CHECKS:
            fix = f"The checks are: {', '.join(CHECKS)}."
            found.append(finding(name, "there is no check of that name", fix=fix))
        elif not isinstance(reason, str) or not reason.strip():
            found.append(finding(name, "has no reason", fix="Say why the module cannot keep it."))
    return [replace(one, check="opt_outs") for one in found]


def outcome_of(case: Case, name: str) -> Exception | None:
    """Run a check once for a case: None if it passes, else why it does not."""
    if name not in case.outcomes:
        case.outcomes[name] = obstacle(case, CHECKS[name]) or run(case, CHECKS[name])
    return case.outcomes[name]


def obstacle(case: Case, this: Check) -> Exception | None:
    """Why a check must wait: an earlier one failed, or `forward` is not written yet."""
    for name in this.after:
        if name in case.contract.opt_out or name not in case.names:
            continue
        outcome = outcome_of(case, name)
        if isinstance(outcome, ContractViolation):
            codes = dict.fromkeys(found.code or found.check for found in outcome.findings)
            reason = f"waits for test_{name} ({', '.join(codes)})"
            # Where there is no module, whatever the reason, there is nothing to look at.
            built = name != "construction"
            outcome = Blocked(reason, [found.code if built else None for found in outcome.findings])
        if isinstance(outcome, Blocked) and not names_again(this, outcome.codes):
            continue
        if isinstance(outcome, NotImplementedError | Blocked):
            return outcome
    return None


def names_again(this: Check, codes: frozenset[str | None]) -> bool:
    """Whether a check would only repeat what was found by these rules."""
    known = _NAMED_AGAIN.get(this.name)
    return known is None or bool(codes & (known | _FATAL))


def is_echo(this: Check, outcome: Exception | None) -> bool:
    return isinstance(outcome, NotImplementedError) and this.name != "forward"


def run(case: Case, this: Check) -> Exception | None:
    """Run one check by itself, leaving no trace of it behind."""
    with isolated():
        try:
            found = list(this.function(case))
        except NotApplicable as outcome:
            return outcome.with_traceback(None)
        except Exception as error:
            if this.name == "forward" and isinstance(error, NotImplementedError):
                return error
            found = [unexpected(error)]
        found = [replace(one, check=this.name) for one in found]
        return ContractViolation(located(case, found)) if found else None


def located(case: Case, found: list[Finding]) -> list[Finding]:
    """The findings with the lines of the author's that made their attributes."""
    if all(one.place for one in found):
        return found
    contract = case.contract
    try:
        module = contract.module if isinstance(contract, Instance) else case.raw_build()
    except Exception:
        return found
    lines = (line_of(module, one.attribute, in_forward=one.check in _OF_FORWARD) for one in found)
    return [
        replace(one, place=one.place or str(line or ""))
        for one, line in zip(found, lines, strict=True)
    ]


def unexpected(error: BaseException, doing: str = "", fix: str = "") -> Finding:
    text = " ".join(str(error).split()).rstrip(".") or "no message"
    return finding(place_of(error) or "forward", f"{doing}{type(error).__name__}: {text}", fix=fix)
