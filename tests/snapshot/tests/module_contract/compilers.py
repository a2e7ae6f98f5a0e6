"""Slow checks: torch's compilers take the whole of `forward`."""

from typing import Any

import torch

from .case import Case
from .checks import SOUND, Findings, check, unexpected
from .findings import NotApplicable, finding
from .structure import convert, difference, tensors


@check(after=SOUND, slow=True)
def compilation(case: Case) -> Findings:
    """`torch.compile(fullgraph=True)` finds no graph break and gives the same output."""
    module = case.build(training=False)
    torch.compiler.reset()
    compiled: Any = torch.compile(module, fullgraph=True, backend="eager")
    try:
        with torch.no_grad():
            expected = case.call(module, case.inputs())
            actual = case.call(compiled, case.inputs())
    except Exception as error:
        one = unexpected("compilation", error, "does not compile: ")
        advice = "Decide by shapes and arguments, not by the values of tensors."
        yield finding("compilation", one.path, one.problem, advice=advice)
        return
    finally:
        torch.compiler.reset()
    if text := difference(actual, expected, 1e-4):
        yield finding("compilation", "forward", f"another output when compiled: {text}")


@check(after=SOUND, slow=True)
def export(case: Case) -> Findings:
    """`torch.export` with a dynamic batch gives a program that serves other batch sizes."""
    case.require_batch(of_output=False)
    module = case.build(training=False)
    remaining = iter(case.input_axes())

    def dynamic(_: torch.Tensor) -> Any:
        axis = next(remaining)
        return {} if axis is None else {axis: torch.export.Dim.DYNAMIC}

    inputs = case.inputs(3)
    dynamic_shapes = tuple(convert(value, dynamic, lambda _: None) for value in inputs)
    if not any(True for _ in tensors(inputs)):
        raise NotApplicable("no input is a tensor")
    try:
        program = torch.export.export(module, inputs, dynamic_shapes=dynamic_shapes).module()
    except Exception as error:
        yield unexpected("export", error, "cannot be exported: ")
        return
    finally:
        torch.compiler.reset()
    with torch.no_grad():
        for batch in (2, 5):
            expected = case.call(module, case.inputs(batch))
            actual = case.call(program, case.inputs(batch))
            if text := difference(actual, expected, 1e-4):
                yield finding("export", "forward", f"another output for a batch of {batch}: {text}")


@check(after=SOUND, slow=True)
def torchscript(case: Case) -> Findings:
    """Where the module promises it, TorchScript compiles it to the same function."""
    if not case.contract.torchscript:
        raise NotApplicable("the module does not promise TorchScript (`torchscript = True`)")
    module = case.build(training=False)
    try:
        scripted = torch.jit.script(module)
    except Exception as error:
        yield unexpected("torchscript", error, "cannot be scripted: ")
        return
    with torch.no_grad():
        expected = case.call(module, case.inputs())
        actual = case.call(scripted, case.inputs())
    if text := difference(actual, expected, 1e-4):
        yield finding("torchscript", "forward", f"another output when scripted: {text}")
