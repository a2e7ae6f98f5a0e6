"""The rules of the module contract, one table for all that use it, and findings that name them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One line of the module contract, as `docs/module-contract.md` explains it.

    Attributes:
        code: Its number, which never changes.
        name: Its name, which says what is wrong.
        severity: `error`, or `warning` for what is wrong only mostly.
        static: Whether reading the source can find it.
        runtime: Whether running the module can find it.
        fixable: Whether `nnscaffold check --fix` can rewrite it.
        fix: What to do about it.
    """

    code: str
    name: str
    severity: str
    static: bool
    runtime: bool
    fixable: bool
    fix: str

    @property
    def title(self) -> str:
        """Code and name, as headings and reports show them; one word where they are the same."""
        return self.name if self.code == self.name else f"{self.code} {self.name}"


# Code, name, how it is found (S by reading the source, R by running the module), severity (E error,
# W warning), F if it can be rewritten; and what to do.
_TABLE = """
NN101 missing-super-init SR E F
    Call `super().__init__()` first in `__init__`.
NN102 late-super-init SR E F
    Move `super().__init__()` before the first module, parameter or buffer.
NN103 module-in-container SR E F
    Keep modules in `nn.ModuleList` or `nn.ModuleDict`.
NN104 parameter-in-container SR E F
    Keep parameters in `nn.ParameterList` or `nn.ParameterDict`.
NN105 parameter-in-forward SR E
    Create parameters in `__init__`.
NN106 module-in-forward SR E
    Build modules in `__init__` and only call them in `forward`.
NN107 non-leaf-parameter SR E F
    Convert the tensor first, then wrap it: `nn.Parameter(tensor.to(...))`.
NN108 uninitialised-parameter SR E
    Fill every parameter and buffer in `reset_parameters()`, and call that from `__init__`.
NN109 repeated-module SR W
    Build one module for each place: `nn.ModuleList(make() for _ in range(n))`.
NN110 reserved-module-key SR E
    Choose a key without dots that is not an attribute of the container.
NN111 shared-default SR E
    Make it in `__init__`, so that each instance has its own.
NN112 unused-module SR W
    Use the module in `forward`, or remove it from `__init__`.
NN201 tensor-attribute SR E F
    Register it: `self.register_buffer(name, tensor)`, or `nn.Parameter` if it learns.
NN202 graph-retained SR E
    Return it, or keep only the latest value, detached.
NN203 buffer-rebound SR W
    Update the buffer in place: `self.buffer.copy_(value)` or `.add_(...)`.
NN204 parameter-rebound SR E
    Change the parameter in place under `torch.no_grad()`: `self.parameter.copy_(value)`.
NN205 data-write S W
    Write in place under `torch.no_grad()`: `parameter.copy_(value)` or `parameter.mul_(factor)`.
NN206 stale-cache SR E
    Compute it at each call, or make it in `__init__` as a buffer that is not persistent.
NN207 untracked-state SR W
    Keep it in a buffer that is updated in place, or let the caller pass it in.
NN208 broken-tie R E
    Tie them again wherever parameters are replaced: in `_apply`, and after loading.
NN209 fragile-state-dict R E
    Put the hook's `prefix` in front of every key that it reads or writes.
NN301 hard-coded-device SR E
    Take the device from an input or a parameter: `device=x.device`.
NN302 device-less-factory SR E F
    Give the factory `device=x.device`, or use `x.new_zeros(...)` or a `*_like` function.
NN303 precision-lost SR E
    Compute it in float32 and cast the result, or make the constant fit: `torch.finfo(x.dtype).min`.
NN401 input-mutated SR E
    Work on a new tensor: use the operation without the trailing underscore.
NN402 ignores-training-mode SR E F
    Draw in training only: `training=self.training`, or `dropout_p=p if self.training else 0.0`.
NN403 direct-forward-call S W F
    Call the module itself: `self.layer(x)`.
NN404 host-sync SR W
    Keep the value a tensor on its device.
NN405 ambiguous-squeeze SR W
    Name the dimension: `.squeeze(dim)`.
NN406 missing-no-grad S W F
    Decorate the function with `@torch.no_grad()`.
NN501 unpicklable-attribute SR W
    Use a function or class at the top level of its file, and no open resource.
NN502 deprecated-torchscript S W
    Use `torch.export` to ship the model, or `torch.compile` to speed it up.
NN601 untyped-signature S W
    Annotate every argument and the result.
NN602 shapeless-docstring S W
    Document the arguments, and the shapes of inputs and outputs.
"""

_RULE = re.compile(r"(NN\d+) (\S+) (S?)(R?) ([EW])( F)?\n +(.+)\n")
_SEVERITIES = {"E": "error", "W": "warning"}
RULES = {
    code: Rule(code, name, _SEVERITIES[severity], bool(static), bool(runs), bool(fixable), fix)
    for code, name, static, runs, severity, fixable, fix in _RULE.findall(_TABLE)
}


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


class Unwritten(Exception):
    """The author has not written `forward` yet.

    Attributes:
        error: What it raised.
        check: The name of the check that met it; those that wait for it only repeat it.
    """

    check = ""

    def __init__(self, error: NotImplementedError) -> None:
        super().__init__(str(error))
        self.error = error


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
