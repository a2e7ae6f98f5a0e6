"""The rules of the module contract that can stand between a model and its export."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule, as ``docs/module-contract.md`` explains it."""

    code: str
    name: str
    mend: str
    """What to do about it, as a sentence."""


_TABLE = (
    Rule(
        "NN103",
        "module-in-container",
        "Keep modules in `nn.ModuleList` or `nn.ModuleDict`.",
    ),
    Rule(
        "NN104",
        "parameter-in-container",
        "Keep parameters in `nn.ParameterList` or `nn.ParameterDict`.",
    ),
    Rule(
        "NN105",
        "parameter-in-forward",
        "Create parameters in `__init__`.",
    ),
    Rule(
        "NN106",
        "module-in-forward",
        "Build modules in `__init__` and only call them in `forward`.",
    ),
    Rule(
        "NN107",
        "non-leaf-parameter",
        "Convert the tensor first, then wrap it: `nn.Parameter(tensor.to(...))`.",
    ),
    Rule(
        "NN201",
        "tensor-attribute",
        "Register it: `self.register_buffer(name, tensor)`, or `nn.Parameter` if it learns.",
    ),
    Rule(
        "NN203",
        "buffer-rebound",
        "Update the buffer in place, and only where `self.training`.",
    ),
    Rule(
        "NN301",
        "hard-coded-device",
        "Take the device from an input or a parameter: `device=x.device`.",
    ),
    Rule(
        "NN402",
        "ignores-training-mode",
        "Draw only where `self.training`, or register `nn.Dropout` in `__init__`.",
    ),
    Rule(
        "NN404",
        "host-sync",
        "Compute with the value as a tensor, and leave it on its device.",
    ),
    Rule(
        "NN405",
        "ambiguous-squeeze",
        "Name the dimension: `.squeeze(dim)`.",
    ),
    Rule(
        "NN501",
        "unpicklable-attribute",
        "Use a function or class at the top level of its file, and no open resource.",
    ),
)

RULES = {rule.code: rule for rule in _TABLE}


@dataclasses.dataclass(frozen=True)
class Breach:
    """One thing that stands in the way: the rule, where there is one, the place and the mend."""

    code: str
    """The rule's; empty where no rule names it."""
    place: str
    """``file:line``; empty where it is no single line's."""
    problem: str
    mend: str = ""
    """What to do about it, where the rule's own mend does not say it best."""

    def __str__(self) -> str:
        """Say it in one line: rule, place, what is wrong there, and the mend."""
        rule = RULES.get(self.code)
        label = f"{rule.code} {rule.name}" if rule else ""
        where = ", ".join(part for part in (label, self.place) if part)
        mend = self.mend or (rule.mend if rule else "")
        return f"{f'{where}: ' if where else ''}{self.problem}. {mend}".rstrip()
