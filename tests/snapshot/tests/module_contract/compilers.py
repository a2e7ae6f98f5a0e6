"""Slow checks: torch's compilers take the whole of `forward`."""

from typing import Any

import torch

from .case import Case
from .checks import SOUND, Findings, check, unexpected
from .findings import Finding, NotApplicable, finding
from .source import place_in
from .structure import difference

BY_SHAPE = "Decide by shapes and arguments, not by the values of tensors."


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
    advice = BY_SHAPE if by_value else ""
    return finding("compilation", traced_line(error), problem, advice=advice)


def traced_line(error: Exception) -> str:
    """The author's innermost line among those that the compiler says it was tracing."""
    _, _, stack = str(error).partition("from user code:")
    return place_in(stack) or unexpected("compilation", error).path


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
