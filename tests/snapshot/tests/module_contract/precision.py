"""Checks of device and precision: arguments and conversions reach everything."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from .case import Case
from .checks import BUILT, SOUND, Findings, check, unexpected
from .findings import Finding, NotApplicable, finding
from .registration import all_unregistered
from .structure import make_double, tensors

# What torch says of an operation that it lacks in that precision on the CPU.
_LACKING = (
    "not implemented for",
    "Unsupported dtype BFloat16",
    "to be Half, Float or Double tensors",
    # oneDNN, whose LSTM needs AVX-512 for it
    "could not create a primitive descriptor",
)


def state(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """All parameters and buffers with their names."""
    yield from module.named_parameters()
    yield from module.named_buffers()


@check(after=BUILT, calls_forward=False)
def device_argument(case: Case) -> Findings:
    """`device=` reaches every parameter and buffer."""
    try:
        module = case.raw_build(device="meta")
    except (RuntimeError, NotImplementedError) as error:
        yield unexpected("device_argument", error, "cannot be built on the meta device: ")
        return
    yield from all_unregistered("device_argument", module)
    for name, tensor in state(module):
        if tensor.device.type != "meta":
            problem = f"is on {tensor.device.type} though `device=` names another"
            advice = "Pass `device=device` where it is created."
            yield finding("device_argument", name, problem, advice=advice)


@check(after=BUILT, calls_forward=False)
def dtype_argument(case: Case) -> Findings:
    """`dtype=` reaches every floating-point parameter and buffer."""
    module = case.build(dtype=torch.float64)
    yield from all_unregistered("dtype_argument", module)
    advice = "Pass `dtype=dtype` where it is created."
    yield from of_other_type("dtype_argument", module, torch.float64, advice)


def of_other_type(name: str, module: nn.Module, dtype: torch.dtype, advice: str) -> Findings:
    """The floating-point state that does not have the type asked for."""
    for path, tensor in state(module):
        if tensor.is_floating_point() and tensor.dtype is not dtype:
            yield finding(name, path, f"is {tensor.dtype} instead of {dtype}", advice=advice)


@check(after=SOUND)
def double(case: Case) -> Findings:
    """`.double()` converts everything, and forward runs."""
    yield from converted("double", case, torch.float64)


@check(after=SOUND)
def bfloat16(case: Case) -> Findings:
    """`.bfloat16()` converts everything, and forward runs."""
    yield from converted("bfloat16", case, torch.bfloat16)


def converted(name: str, case: Case, dtype: torch.dtype) -> Findings:
    """What a conversion leaves behind, or why forward fails after it."""
    module = case.build(training=False)
    # Not `.to(dtype)`, which would throw the imaginary part of complex state away.
    make_double(module) if dtype is torch.float64 else module.bfloat16()
    yield from of_other_type(name, module, dtype, "Let `_apply` reach it.")
    yield from runs(name, case, module, nullcontext(), dtype)


@check(after=SOUND)
def autocast(case: Case) -> Findings:
    """Forward runs under `torch.autocast`."""
    module = case.build(training=False)
    yield from runs("autocast", case, module, torch.autocast("cpu", dtype=torch.bfloat16))


def runs(
    name: str,
    case: Case,
    module: nn.Module,
    context: AbstractContextManager[object],
    dtype: torch.dtype | None = None,
) -> Iterator[Finding]:
    """Why forward fails in that precision; an operation that torch lacks is no fault."""
    try:
        with torch.no_grad(), context:
            case.call(module, case.inputs(dtype=dtype))
    except (RuntimeError, ValueError, TypeError) as error:
        if any(text in str(error) for text in _LACKING):
            raise NotApplicable(f"torch lacks an operation on the CPU: {error}") from None
        if dtype is torch.bfloat16 and meets_complex(case):
            raise NotApplicable("torch has no complex numbers of that precision") from None
        one = unexpected(name, error)
        advice = "Give tensors made in `forward` the input's dtype: `dtype=x.dtype`."
        yield finding(name, one.path, one.problem, advice=advice)


def meets_complex(case: Case) -> bool:
    """Whether the state, an input or the output is complex."""
    module = case.build(training=False)
    inputs = case.inputs()
    with torch.no_grad():
        met = (dict(state(module)), inputs, case.call(module, inputs))
    return any(tensor.is_complex() for _, tensor in tensors(met))
