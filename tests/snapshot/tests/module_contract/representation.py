"""The check of what the module prints about itself."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from torch import nn

from .case import Case
from .checks import BUILT, Findings, check
from .findings import NotApplicable, finding

_PLAIN = (bool, int, float, str)
_FACTORY = ("device", "dtype")


@check(after=BUILT, calls_forward=False)
def representation(case: Case) -> Findings:
    """`repr` is one line a child and shows the constructor's arguments."""
    kind = type(case.raw_build())
    with recorded_arguments(kind) as arguments:
        module = case.raw_build()
    try:
        text = repr(module)
    except RuntimeError as error:
        raise NotApplicable(f"repr needs a forward first: {error}") from None
    lines, allowed = len(text.splitlines()), expected_lines(module)
    if lines > allowed:
        problem = f"has {lines} lines where the children need {allowed}"
        advice = "Return one line from `extra_repr()`."
        yield finding("representation", "repr", problem, advice=advice)
    for name, value in arguments.items():
        # A child may show the value under a name of its own, so any mention counts.
        shown = name in text if isinstance(value, bool) else str(value).lower() in text.lower()
        if not shown:
            problem = f"does not show the argument {name}={value!r}"
            yield finding("representation", "repr", problem, advice="Add it to `extra_repr()`.")


def expected_lines(module: nn.Module) -> int:
    """One line for a module alone; with children one each, its own, and the two brackets."""
    if isinstance(module, nn.ParameterList | nn.ParameterDict):
        return len(repr(module).splitlines())
    children = list(module._modules.values())
    if not children:
        return 1
    own = 1 if module.extra_repr() else 0
    return 2 + own + sum(1 if child is None else expected_lines(child) for child in children)


@contextmanager
def recorded_arguments(kind: type[nn.Module]) -> Iterator[dict[str, Any]]:
    """Note the plain arguments that the class is called with; defaults left out are not noted."""
    recorded: dict[str, Any] = {}
    initialise = kind.__init__
    signature = inspect.signature(initialise)

    def watched(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        if type(module) is kind and not recorded:
            bound = signature.bind(module, *args, **kwargs).arguments
            for name, value in bound.items():
                default = signature.parameters[name].default
                if isinstance(value, _PLAIN) and value != default and name not in _FACTORY:
                    recorded[name] = value
        initialise(module, *args, **kwargs)

    with patch.object(kind, "__init__", watched):
        yield recorded
