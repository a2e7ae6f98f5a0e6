"""The contract of any module in one call, without a class that states it."""

import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from .core import CHECKS, Contract, Instance, repeated, run_checks, wrong_opt_outs
from .findings import ContractViolation, Finding, NotApplicable
from .tree import contents, convert

_OPTIONS = ("device", "dtype")
# What most packages leave out, and no module computes anything wrong for.
_OF_GENERATED_CODE = ("representation", "examples")


def check_module(
    build: Callable[..., nn.Module] | nn.Module,
    inputs: Any,
    *,
    slow: bool = False,
    opt_out: Mapping[str, str] | None = None,
    output_shape: Any = None,
    parameter_count: int | None = None,
    torchscript: bool = False,
) -> list[Finding]:
    """Find every breach of the contract in a module.

    Args:
        build: A class that needs no arguments, a function that builds the module, or a module,
            which is copied. The checks of devices and types pass `device` and `dtype` to what
            takes them.
        inputs: An example of forward's arguments, or a function that makes them for a number of
            samples: a tuple holds them by position, a dictionary by name, and any other value (a
            tensor, list, dataclass, named tuple) is one argument. Where all tensors of an
            example are equally long, their first dimension is the batch, and samples are repeated
            or left out for other sizes of it.
        slow: Whether the checks that take seconds run too, such as those of exporters.
        opt_out: Names of checks to leave out, each with the reason for it.
        output_shape: The output's shape, or a tuple or dictionary of shapes, in which `"batch"`
            stands for the number of samples; or a function of that number.
        parameter_count: The number of parameter elements, all of them trainable.
        torchscript: Whether the module promises to work with TorchScript.

    Raises:
        TypeError: An argument is not of a kind named above.
        ValueError: An opt-out names no check, or has no reason.
    """
    contract = stated(
        build,
        inputs,
        opt_out=opt_out,
        output_shape=output_shape,
        parameter_count=parameter_count,
        torchscript=torchscript,
    )
    for wrong in wrong_opt_outs(contract.opt_out):
        raise ValueError(f"opt_out: {wrong.message} {wrong.fix}")
    return run_checks(contract, slow=slow)


def assert_contract(
    build: Callable[..., nn.Module] | nn.Module,
    inputs: Any,
    **options: Any,
) -> None:
    """Fail with all that `check_module` finds, which takes the same arguments.

    Raises:
        ContractViolation: The module breaks the contract.
    """
    __tracebackhide__ = True
    if found := check_module(build, inputs, **options):
        raise ContractViolation(found)


def stated(
    build: Callable[..., nn.Module] | nn.Module,
    inputs: Any,
    *,
    opt_out: Mapping[str, str] | None = None,
    output_shape: Any = None,
    parameter_count: int | None = None,
    torchscript: bool = False,
) -> Contract:
    """The contract that `check_module` holds a module to."""
    refuse_wrong_build(build)
    if not (isinstance(inputs, Tensor) or callable(inputs) or contents(inputs) is not None):
        kinds = "a tensor, a tuple, a dictionary, another tree of tensors, or a function of a batch"
        raise TypeError(f"inputs must be {kinds}; it is {inputs!r}")
    if parameter_count is not None and type(parameter_count) is not int:
        raise TypeError(f"parameter_count must be an int; it is {parameter_count!r}")
    if not isinstance(opt_out or {}, Mapping):
        raise TypeError(f"opt_out must map the names of checks to reasons; it is {opt_out!r}")
    kind: Any = Copied if isinstance(build, nn.Module) else Stated
    contract: Stated = kind(build, inputs, output_shape)
    vars(contract).update(
        _modes=Contract._modes,
        opt_out=dict(opt_out or {}),
        parameter_count=parameter_count,
        torchscript=torchscript,
        _checks=tuple(name for name in CHECKS if name not in _OF_GENERATED_CODE),
    )
    return contract


class Stated(Contract):
    """What the arguments of `check_module` say."""

    def __init__(self, make: Callable[..., nn.Module], sample: Any, shape: Any) -> None:
        self.make, self.sample, self.shape = make, sample, shape
        self.options = options_of(make)

    def build(self, **options: Any) -> nn.Module:
        """Build it, with the options that the function takes."""
        if unknown := [name for name in options if name not in self.options]:
            raise NotApplicable(f"build() takes no `{', '.join(unknown)}`")
        return self.make(**options)

    def inputs(self, batch: int) -> Any:
        """Make that many samples, or repeat those of the example."""
        made = not isinstance(self.sample, Tensor) and callable(self.sample)
        value = self.sample(batch) if made else repeated(self.sample, batch)
        positional = isinstance(value, tuple) and not hasattr(value, "_fields")
        return value if positional or isinstance(value, Mapping) else (value,)

    def output_shape(self, batch: int) -> object:
        """Return the shape with that number in it."""
        if callable(self.shape):
            return self.shape(batch)
        return convert(self.shape, lambda _: _, lambda size: batch if size == "batch" else size)


class Copied(Stated, Instance):
    """The same of a module that exists."""

    def __init__(self, module: nn.Module, sample: Any, shape: Any) -> None:
        super().__init__(functools.partial(copy.deepcopy, module), sample, shape)
        self.module = module


def refuse_wrong_build(build: object) -> None:
    """Refuse what builds no module when it is called without arguments."""
    if isinstance(build, nn.Module):
        return
    if not callable(build) or (isinstance(build, type) and not issubclass(build, nn.Module)):
        kinds = "a subclass of nn.Module, a function that returns a module, or a module"
        raise TypeError(f"build must be {kinds}; it is {build!r}")
    needed = [
        parameter.name
        for parameter in parameters_of(build)
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if needed:
        name = getattr(build, "__name__", type(build).__name__)
        call = f"lambda: {name}({', '.join(f'{one}=...' for one in needed)})"
        listed = ", ".join(f"`{one}`" for one in needed)
        raise TypeError(f"{name} cannot be called without {listed}; pass `{call}`")


def options_of(build: Callable[..., Any]) -> tuple[str, ...]:
    """Which of `device` and `dtype` may be passed to a function."""
    parameters = parameters_of(build)
    # A class may swallow what it does not know, or hand it to a base that refuses it.
    swallows = any(one.kind is one.VAR_KEYWORD for one in parameters)
    named = _OPTIONS if swallows and not isinstance(build, type) else [p.name for p in parameters]
    return tuple(name for name in _OPTIONS if name in named)


def parameters_of(build: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a function or class; none where Python cannot say."""
    try:
        return list(inspect.signature(build).parameters.values())
    except ValueError:
        return []
