"""Why a model cannot be exported, in the model's own terms."""

import ast
import re
import traceback
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from ...errors import InputError
from .rules import Breach
from .source import Line, causes, line_of, place, text_at
from .tracing import batch_sizes_fixed, lines_of_operator

# Errors that torch keeps to itself, so by name: where a later torch renames one, what is told of it
# is plainer, and every export still runs.
_BY_VALUE = {
    "GuardOnDataDependentSymNode",
    "DataDependentOutputException",
    "DynamicOutputShapeException",
}
_BATCH_FIXED = {"ConstraintViolationError"}
# What errors say where a value was wanted that tracing does not have.
_VALUE_WANTED = (
    "data-dependent",
    ".numpy() is not supported",
    "FakeTensor.__format__",
    "_local_scalar_dense",
)
_OTHER_DEVICE = (
    "is not on the expected device",
    "to be on the same device",
)
_NO_DEVICE = (
    "not compiled with CUDA",
    "No CUDA GPUs",
    "Found no NVIDIA driver",
)
_NO_OPERATOR = re.compile(
    r"(?:No ONNX function found for|Missing out variants|Operator torch\._ops)"
    r".*?\baten(?:::|\.)(\w+)",
    re.DOTALL,
)
# Calls that fetch a tensor's value.
_FETCHES = re.compile(r"\.(item|tolist|numpy)\(|\b(int|float|bool)\(")


def explain(
    error: Exception,
    model: nn.Module | None,
    log: Path,
    example: Tensor | None = None,
) -> InputError:
    """Return the error to tell; the whole of what was raised goes into the log.

    Args:
        error: raised by torch, or by whatever else was to take the model
        model: the one that was to be exported; None where it could not even be built
        log: where to write the trace
        example: a batch that the model takes; with it, more places in its source can be named
    """
    told = refusal(model, breaches_of(error, model, example))
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError as failed:
        return InputError(f"{told} The whole trace cannot be written: {failed.strerror}.")
    return InputError(f"{told} The whole trace is in {log}.")


def refusal(model: nn.Module | None, breaches: Sequence[Breach]) -> InputError:
    """Return the error that tells what stands in the way of a model's export."""
    name = "The model" if model is None else type(model).__name__
    codes = ", ".join(dict.fromkeys(breach.code for breach in breaches if breach.code))
    more = f"docs/module-contract.md explains {codes}." if codes else ""
    if len(breaches) == 1:
        return InputError(f"{name} cannot be exported. {breaches[0]} {more}".rstrip())
    lines = "".join(f"\n  {breach}" for breach in breaches)
    return InputError(f"{name} cannot be exported:{lines}\n{more}".rstrip())


def breaches_of(
    error: Exception,
    model: nn.Module | None,
    example: Tensor | None,
) -> list[Breach]:
    """Return what stood in the way of an export that raised this error."""
    texts = [str(cause) for cause in causes(error)]
    line = line_of(error)
    where = place(*line) if line else ""
    kinds = {kind.__name__ for cause in causes(error) for kind in type(cause).__mro__}
    if kinds & _BY_VALUE or _any(_VALUE_WANTED, texts):
        return [_value_wanted(line)]
    if _any(_NO_DEVICE, texts):
        problem = f"the device that it names is not there: {_first_line(next(causes(error)))}"
        mend = "Take the device as an argument, or from an input: `device=x.device`."
        return [Breach("NN301", where, problem, mend)]
    if _any(_OTHER_DEVICE, texts):
        return [Breach("NN301", where, f"forward leaves its input's device: {_first_line(error)}")]
    if kinds & _BATCH_FIXED:
        return _batch_fixed(error, model, example)
    for text in texts:
        if found := _NO_OPERATOR.search(text):
            return _no_operator(found[1], model, example)
    return [Breach("", where, failure(error))]


def failure(error: BaseException) -> str:
    """Return what was raised first, by type and the first line of its text."""
    first = next(causes(error))
    return f"{type(first).__name__}: {_first_line(first)}"


def _first_line(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0].rstrip(".")
    # Colours of a terminal, of which some exporters make use.
    return re.sub(r"\x1b\[[0-9;]*m", "", text) or "no message"


def _any(parts: Sequence[str], texts: Sequence[str]) -> bool:
    return any(part in text for part in parts for text in texts)


def _value_wanted(line: Line | None) -> Breach:
    text = text_at(*line) if line else ""
    where = place(*line) if line else ""
    if _decides(text):
        problem = f"forward decides by the value of a tensor (`{text}`), which no export can follow"
        return Breach("NN404", where, problem, "Choose with `torch.where`, or by shapes alone.")
    quoted = f" (`{text}`)" if text else ""
    return Breach("NN404", where, f"forward needs the value of a tensor{quoted} while it is traced")


def _decides(text: str) -> bool:
    """Whether a line of source chooses between ways to go on."""
    if text.startswith(("if ", "elif ", "while ", "assert ")):
        return True
    try:
        tree = ast.parse(text)
    except SyntaxError:
        # The first line of several.
        return " if " in text
    return any(isinstance(node, ast.IfExp | ast.BoolOp) for node in ast.walk(tree))


def _batch_fixed(
    error: Exception,
    model: nn.Module | None,
    example: Tensor | None,
) -> list[Breach]:
    found: dict[Line, str] = {}
    if model is not None and example is not None:
        found = batch_sizes_fixed(model, example)
    if not found:
        suggestion = re.search(r"batch = .*", str(error))
        problem = f"forward takes batches of one size only ({suggestion[0] if suggestion else ''})"
        return [Breach("", "", problem.replace(" ()", ""))]
    breaches = []
    for line, condition in found.items():
        text = text_at(*line)
        if _FETCHES.search(text):
            breaches.append(_value_wanted(line))
        else:
            problem = f"this line (`{text}`) holds only for some sizes of the batch: {condition}"
            mend = "Compute on the whole batch, without a loop over it or a condition on its size."
            breaches.append(Breach("", place(*line), problem, mend))
    return breaches


def _no_operator(
    name: str,
    model: nn.Module | None,
    example: Tensor | None,
) -> list[Breach]:
    lines: list[Line] = []
    if model is not None and example is not None:
        lines = lines_of_operator(model, example, name)
    problem = f"the target has no counterpart of torch's `{name.lstrip('_')}`"
    mend = "Compute it from other operations, or export to another target."
    if not lines:
        return [Breach("", "", problem, mend)]
    return [Breach("", place(*line), f"{problem} (`{text_at(*line)}`)", mend) for line in lines]
