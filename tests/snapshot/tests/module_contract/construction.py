"""The check of construction, and which rule stands behind a constructor that fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from torch import nn

from .case import Case
from .checks import Findings, check, unexpected
from .findings import Finding, finding
from .walk import submodules
from .watches import DeviceWatch


@check(after=(), calls_forward=False)
def construction(case: Case) -> Findings:
    """The module can be built, and every module in it went through `nn.Module.__init__`."""
    with DeviceWatch() as watch:
        try:
            module = case.raw_build()
        except Exception as error:
            yield failure_to_construct(case, error, watch)
            return
    if not isinstance(module, nn.Module):
        yield finding("construction", "build()", "returns no `nn.Module`")
        return
    for path, part in submodules(module):
        if "_parameters" not in vars(part):
            name = type(part).__name__
            yield finding(
                "construction",
                path or name,
                f"`{name}.__init__` never reaches `nn.Module.__init__`",
                "NN101",
            )
    yield from watch.literals("construction")


def failure_to_construct(case: Case, error: Exception, watch: DeviceWatch) -> Finding:
    """The rule behind an exception of the constructor."""
    with early_registration_tolerated() as history:
        try:
            case.raw_build()
        except Exception as second:
            error = second
    if history.early is not None:
        name = type(history.early).__name__
        path = f"{name}.{history.early_attribute}"
        if any(module is history.early for module in history.initialised):
            problem = f"is assigned before `{name}.__init__` reaches `nn.Module.__init__`"
            return finding("construction", path, problem, "NN102")
        problem = f"is assigned, and `{name}.__init__` never reaches `nn.Module.__init__`"
        return finding("construction", path, problem, "NN101")
    if history.refused_key:
        problem = f"the key cannot be used: {error.args[0] if error.args else error}"
        return finding("construction", history.refused_key, problem, "NN110")
    for literal in watch.literals("construction"):
        return literal
    return unexpected("construction", error, "the constructor raises ")


class History:
    """What happened to the registries while a constructor ran."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self.early: nn.Module | None = None
        self.early_attribute = ""
        self.refused_key = ""
        self.initialised: list[nn.Module] = []


@contextmanager
def early_registration_tolerated() -> Iterator[History]:
    """Let a constructor go on after an early assignment, to see whether it initialises later."""
    history = History()
    initialise, assign = nn.Module.__init__, nn.Module.__setattr__
    register_buffer, add_module = nn.Module.register_buffer, nn.Module.add_module
    register_parameter = nn.Module.register_parameter

    def prepare(module: nn.Module, attribute: str) -> None:
        if "_parameters" not in vars(module):
            if history.early is None:
                history.early, history.early_attribute = module, attribute
            initialise(module)

    def watched_init(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        history.initialised.append(module)
        # Initialising again would throw away what was registered early.
        if "_parameters" not in vars(module):
            initialise(module, *args, **kwargs)

    def watched_assign(module: nn.Module, name: str, value: Any) -> None:
        if isinstance(value, nn.Module | nn.Parameter | nn.Buffer):
            prepare(module, name)
        assign(module, name, value)

    def watched_buffer(module: nn.Module, name: str, *args: Any, **kwargs: Any) -> None:
        prepare(module, name)
        register_buffer(module, name, *args, **kwargs)

    def watched_parameter(module: nn.Module, name: str, *args: Any, **kwargs: Any) -> None:
        prepare(module, name)
        register_parameter(module, name, *args, **kwargs)

    def watched_module(module: nn.Module, name: str, child: nn.Module | None) -> None:
        prepare(module, name)
        try:
            add_module(module, name, child)
        except KeyError:
            history.refused_key = f"{type(module).__name__}[{name!r}]"
            raise

    with patch.multiple(
        nn.Module,
        __init__=watched_init,
        __setattr__=watched_assign,
        register_buffer=watched_buffer,
        register_parameter=watched_parameter,
        add_module=watched_module,
    ):
        yield history
