"""The rules that running a module can break, and the findings in which a check names them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One line of the module contract, as `docs/module-contract.md` explains it."""

    code: str
    name: str
    fix: str


# Code and name of each rule, and what to do.
_TABLE = """
NN101 missing-super-init
    Call `super().__init__()` first in `__init__`.
NN102 late-super-init
    Move `super().__init__()` before the first module, parameter or buffer.
NN103 module-in-container
    Keep modules in `nn.ModuleList` or `nn.ModuleDict`.
NN104 parameter-in-container
    Keep parameters in `nn.ParameterList` or `nn.ParameterDict`.
NN105 parameter-in-forward
    Create parameters in `__init__`.
NN106 module-in-forward
    Build modules in `__init__` and only call them in `forward`.
NN107 non-leaf-parameter
    Convert the tensor first, then wrap it: `nn.Parameter(tensor.to(...))`.
NN108 uninitialised-parameter
    Fill every parameter and buffer in `reset_parameters()`, and call that from `__init__`.
NN109 repeated-module
    Build one module for each place: `nn.ModuleList(make() for _ in range(n))`.
NN110 reserved-module-key
    Choose a key without dots that is not an attribute of the container.
NN112 unused-module
    Use the module in `forward`, or remove it from `__init__`.
NN201 tensor-attribute
    Register it: `self.register_buffer(name, tensor)`, or `nn.Parameter` if it learns.
NN202 graph-retained
    Return it, or keep only the latest value, detached.
NN203 buffer-rebound
    Update the buffer in place: `self.buffer.copy_(value)` or `.add_(...)`.
NN204 parameter-rebound
    Change the parameter in place under `torch.no_grad()`: `self.parameter.copy_(value)`.
NN301 hard-coded-device
    Take the device from an input or a parameter: `device=x.device`.
NN302 device-less-factory
    Give the factory `device=x.device`, or use `x.new_zeros(...)` or a `*_like` function.
NN401 input-mutated
    Work on a new tensor: use the operation without the trailing underscore.
NN402 ignores-training-mode
    Pass `training=self.training`, or register `nn.Dropout` in `__init__`.
NN404 host-sync
    Keep the value a tensor on its device.
NN405 ambiguous-squeeze
    Name the dimension: `.squeeze(dim)`.
NN501 unpicklable-attribute
    Use a function or class at the top level of its file, and no open resource.
"""


_RULE = re.compile(r"(NN\d+) (\S+)\n +(.+)\n")
RULES = {code: Rule(code, name, fix) for code, name, fix in _RULE.findall(_TABLE)}


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

    def __str__(self) -> str:
        label = f"{self.rule.code} {self.rule.name}" if self.rule else self.check
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


def finding(where: str, problem: str, code: str = "", fix: str = "") -> Finding:
    """A finding at a place or an attribute, with the rule of that code."""
    rule = RULES[code] if code else None
    attribute, place = ("", str(where)) if isinstance(where, Place) else (where, "")
    return Finding(attribute, place, problem, fix or (rule.fix if rule else ""), rule)
