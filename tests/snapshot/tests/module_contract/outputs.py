"""Checks of what `forward` returns."""

import torch

from .case import Case
from .checks import BUILT, RUNS, Findings, check, unexpected
from .findings import NotApplicable, finding
from .structure import is_shape, shapes, tensors
from .watches import DeviceWatch


@check(after=BUILT)
def forward(case: Case) -> Findings:
    """`forward` runs in both modes and returns the stated shape."""
    for training in (False, True):
        module = case.build(training=training)
        with DeviceWatch() as watch:
            try:
                output = case.call(module, case.inputs())
            except NotImplementedError:
                raise
            except Exception as error:
                literals = list(watch.literals("forward"))
                mode = "training" if training else "eval"
                yield from literals or [unexpected("forward", error, f"in {mode} mode raises ")]
                return
        actual, expected = shapes(output), case.output_shape()
        # Training may return more than is stated, such as the outputs of auxiliary heads.
        if training and not (is_shape(actual) and is_shape(expected)):
            return
        if actual != expected:
            problem = f"returns shape {actual}, stated is {expected}"
            yield finding("forward", "output_shape", problem)
            return


@check(after=RUNS)
def output_dtype(case: Case) -> Findings:
    """Floating-point outputs have the precision of parameters and inputs."""
    with torch.no_grad():
        output = case.call(case.build(training=False), case.inputs())
    expected = torch.get_default_dtype()
    for path, tensor in tensors(output, "output"):
        if tensor.is_floating_point() and tensor.dtype is not expected:
            problem = f"is {tensor.dtype} where inputs and parameters are {expected}"
            advice = "Give tensors made in `forward` the input's dtype."
            yield finding("output_dtype", path, problem, advice=advice)


@check(after=RUNS)
def finite_output(case: Case) -> Findings:
    """Ordinary inputs give finite outputs."""
    with torch.no_grad():
        output = case.call(case.build(training=False), case.inputs())
    found = list(tensors(output, "output"))
    if not found:
        raise NotApplicable("forward returns no tensor")
    for path, tensor in found:
        if not torch.isfinite(tensor).all():
            yield finding("finite_output", path, "holds NaN or infinite values")
