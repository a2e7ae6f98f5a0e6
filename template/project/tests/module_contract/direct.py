"""The contract of any module in one call, without a class that states it."""

import functools
import inspect
import reprlib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypedDict, Unpack

from torch import Tensor, nn

from .case import Contract, Instance, repeated
from .core import run_checks, wrong_opt_outs
from .processes import UNGUARDED
from .rules import ContractViolation, Finding, NotApplicable
from .tree import contents, convert, deep_copied, leaves, state_of, tensors
from .watches import unguarded_line

Build = Callable[..., nn.Module] | nn.Module

_OPTIONS = ("device", "dtype")


class Statements(TypedDict, total=False):
    """What may be stated of any module, beside how it is built and called."""

    opt_out: Mapping[str, str]
    output_shape: Any
    parameter_count: int | None
    torchscript: bool


def check_module(
    build: Build,
    inputs: Any,
    *,
    slow: bool = False,
    **statements: Unpack[Statements],
) -> list[Finding]:
    """Find every breach of the contract in a module.

    Args:
        build: A class that needs no arguments, a function that builds the module, or a module,
            which is copied. What takes `device` and `dtype` is called with them, too.
        inputs: An example of forward's arguments, or a function that makes them for a number of
            samples: a tuple holds them by position, a dictionary by name, and any other value (a
            tensor, list, dataclass, named tuple) is one argument. Where all tensors of an
            example are equally long, their first dimension is the batch, and samples are repeated
            or left out for other sizes of it. Everything is copied to the CPU.
        slow: Whether the checks that take seconds run too, such as those of exporters.
        **statements: `opt_out`, names of checks to leave out, each with the reason for it;
            `output_shape`, a shape or a tuple or dictionary of shapes, in which `"batch"` stands
            for the number of samples, or a function of that number; `parameter_count`, all of
            them trainable; `torchscript`, whether the module promises to work with it.

    Raises:
        TypeError: An argument is not of a kind named above.
        ValueError: An opt-out names no check or has no reason, a shape has a wrong size,
            there is no sample, something is on the meta device, or a script calls it with
            `slow=True` outside of `if __name__ == "__main__":`, which other processes would run.
    """
    contract = stated(build, inputs, **statements)
    for wrong in wrong_opt_outs(contract.opt_out):
        raise ValueError(f"opt_out: {wrong.message} {wrong.fix}")
    if not isinstance(slow, bool):
        raise TypeError(f"slow must be True or False; it is {slow!r}")
    if slow and "two_processes" not in contract.opt_out and (line := unguarded_line()):
        raise ValueError(f"slow=True: {UNGUARDED} {line}")
    return run_checks(contract, slow=slow)


def assert_contract(
    build: Build,
    inputs: Any,
    *,
    slow: bool = False,
    **statements: Unpack[Statements],
) -> None:
    """Raise a `ContractViolation` with all that `check_module` finds."""
    __tracebackhide__ = True
    if found := check_module(build, inputs, slow=slow, **statements):
        raise ContractViolation(found)


def stated(build: Build, inputs: Any, **statements: Unpack[Statements]) -> Contract:
    """The contract that `check_module` holds a module to."""
    refuse_wrong_build(build)
    refuse_wrong_inputs(inputs)
    for name in statements.keys() - Statements.__annotations__.keys():
        close = get_close_matches(name, Statements.__annotations__, 1)
        hint = f"; did you mean `{close[0]}`?" if close else ""
        raise TypeError(f"there is no argument `{name}`{hint}")
    count, opt_out = statements.get("parameter_count"), statements.get("opt_out", {})
    torchscript, shape = statements.get("torchscript", False), statements.get("output_shape")
    if count is not None and type(count) is not int:
        raise TypeError(f"parameter_count must be an int; it is {count!r}")
    if not isinstance(opt_out, Mapping):
        raise TypeError(f"opt_out must map the names of checks to reasons; it is {opt_out!r}")
    if not isinstance(torchscript, bool):
        raise TypeError(f"torchscript must be True or False; it is {torchscript!r}")
    if callable(shape):
        require_one_argument("output_shape", shape)
    for _, size in leaves(shape) if shape is not None and not callable(shape) else ():
        if type(size) is not int and size != "batch":
            raise ValueError(f'output_shape: {size!r} is not a size: write an integer or "batch"')
    kind: Any = Copied if isinstance(build, nn.Module) else Stated
    contract: Stated = kind(build, inputs, shape)
    vars(contract).update(parameter_count=count, opt_out=dict(opt_out), torchscript=torchscript)
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
        value = convert(self.sample(batch) if made else repeated(self.sample, batch), Tensor.cpu)
        positional = isinstance(value, tuple) and not hasattr(value, "_fields")
        return value if positional or isinstance(value, Mapping) else (value,)

    def output_shape(self, batch: int) -> object:
        """Return the shape with that number in it."""
        if callable(self.shape):
            return self.shape(batch)
        return convert(self.shape, lambda _: _, lambda size: batch if size == "batch" else size)


class Copied(Stated, Instance):
    """The same of a module that exists, which is held to all that its class is held to."""

    only_called = False

    def __init__(self, module: nn.Module, sample: Any, shape: Any) -> None:
        for name in [name for name, tensor in state_of(module) if tensor.is_meta]:
            raise ValueError(f"the module's `{name}` is on the meta device, where it has no values")
        super().__init__(functools.partial(copied, module), sample, shape)
        self.module = module


def copied(module: nn.Module) -> nn.Module:
    """A copy on the CPU, where the checks run."""
    return deep_copied(module).cpu()


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


def refuse_wrong_inputs(inputs: Any) -> None:
    """Refuse what gives no arguments for forward, or none with a value."""
    if callable(inputs) and not isinstance(inputs, Tensor | nn.Module | type):
        require_one_argument("inputs", inputs)
        return
    if not isinstance(inputs, Tensor) and contents(inputs) is None:
        kinds = "a tensor, a tuple, a dictionary, another tree of tensors, or a function of a batch"
        # An array of another library fills lines.
        raise TypeError(f"inputs must be {kinds}; it is {' '.join(reprlib.repr(inputs).split())}")
    given = [tensor for _, tensor in tensors(inputs)]
    if any(tensor.is_meta for tensor in given):
        raise ValueError("inputs are on the meta device, where they have no values")
    if given and all(tensor.dim() and not len(tensor) for tensor in given):
        raise ValueError("inputs are a batch of no samples; give at least one")


def require_one_argument(name: str, function: Callable[..., Any]) -> None:
    """Refuse a function that cannot be called with the number of samples."""
    try:
        inspect.signature(function).bind(2)
    except TypeError as error:
        needed = f"must take the number of samples, as `lambda batch: ...` does: {error}"
        raise TypeError(f"{name} {needed}") from None
    except ValueError:
        return  # Python cannot say what it takes


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
