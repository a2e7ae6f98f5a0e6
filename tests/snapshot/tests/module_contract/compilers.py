"""Slow checks: torch's compilers take the whole of `forward`."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from .case import Case
from .checks import SOUND, Findings, check, unexpected
from .findings import Finding, NotApplicable, finding
from .source import is_foreign
from .structure import convert, difference, tensors


@check(after=SOUND, slow=True)
def compilation(case: Case) -> Findings:
    """`torch.compile(fullgraph=True)` finds no graph break and gives the same output."""
    module = case.build(training=False)
    torch.compiler.reset()
    compiled: Any = torch.compile(module, fullgraph=True, backend="eager")
    try:
        with torch.no_grad(), trace_log_silenced():
            expected = case.call(module, case.inputs())
            actual = case.call(compiled, case.inputs())
    except Exception as error:
        yield not_compiled(error)
        return
    finally:
        torch.compiler.reset()
    if text := difference(actual, expected, 1e-4):
        yield finding("compilation", "forward", f"another output when compiled: {text}")


def not_compiled(error: Exception) -> Finding:
    """Why the compiler gave up, in its first line; its hints and stacks fill a screen."""
    text = str(error)
    if "wrap RNN, GRU, or LSTM" in text:
        raise NotApplicable("torch.compile takes no nn.RNN, nn.GRU or nn.LSTM") from None
    first = text.strip().partition("\n")[0].rstrip(".") or "no message"
    problem = f"does not compile: {type(error).__name__}: {first}"
    by_value = "data-dependent" in text.lower()
    advice = "Decide by shapes and arguments, not by the values of tensors." if by_value else ""
    return finding("compilation", traced_line(error), problem, advice=advice)


def traced_line(error: Exception) -> str:
    """The author's innermost line among those that the compiler says it was tracing."""
    _, _, stack = str(error).partition("from user code:")
    for filename, line in reversed(re.findall(r'File "(.+)", line (\d+)', stack)):
        if not is_foreign(filename):
            return f"{Path(filename).name}:{line}"
    return unexpected("compilation", error).path


@contextmanager
def trace_log_silenced() -> Iterator[None]:
    """Keep torch's trace of the compiler, lines without text, out of a test's report."""
    # Torch writes it at every level, so only its way to pytest's handler can be closed.
    log = logging.getLogger("torch.__trace")
    before = log.propagate
    log.propagate = False
    try:
        yield
    finally:
        log.propagate = before


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
        with trace_log_silenced():
            exported = torch.export.export(module, inputs, dynamic_shapes=dynamic_shapes)
        program = exported.module()
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
