"""Slow checks: what torch's exporters write of `forward` serves batches of any size."""

import importlib.util
import traceback
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from .case import Case
from .checks import SOUND, Findings, check, outcome_of, unexpected
from .compilers import BY_SHAPE
from .findings import Finding, NotApplicable, finding
from .source import place_in
from .structure import convert, difference, tensors
from .watches import fixed_sizes_watched

# What writes ONNX, what torch writes it with, and what runs it.
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


@check(after=SOUND, slow=True)
def export(case: Case) -> Findings:
    """`torch.export` with a dynamic batch gives a program that serves other batch sizes."""
    case.require_batch(of_output=False)
    module = case.build(training=False)
    with fixed_sizes_watched() as fixed:
        try:
            program = program_of(case, module).module()
        except Exception as error:
            yield not_exported(error, fixed)
            return
        finally:
            torch.compiler.reset()
    yield from other_outputs(case, "export", module, lambda inputs: program(*inputs))


@check(after=(*SOUND, "export"), slow=True)
def onnx(case: Case) -> Findings:
    """The ONNX file of the module, with a dynamic batch, gives the same output in onnxruntime."""
    require_onnx()
    case.require_batch(of_output=False)
    if "export" in case.contract.opt_out:
        raise NotApplicable("ONNX is made of what torch.export writes, which is left out here")
    module = case.build(training=False)
    with torch.no_grad():
        output = case.call(module, case.inputs())
    if any(tensor.is_complex() for _, tensor in tensors((case.inputs(), output))):
        raise NotApplicable("onnxruntime takes no complex numbers")
    advice = "Say it in operators that ONNX has, or opt out: `torch.export` can serve it."
    try:
        file = onnx_file(case, module)
    except Exception as error:
        cause = first_cause(error)
        problem = f"cannot be exported to ONNX: {type(cause).__name__}: {in_a_line(cause)}"
        yield finding("onnx", translated_line(error), problem, advice=advice)
        return
    finally:
        torch.compiler.reset()
    try:
        run = runtime(file, output)
    except Exception as error:
        problem = f"onnxruntime does not take it: {in_a_line(error)}"
        yield finding("onnx", "forward", problem, advice=advice)
        return
    yield from other_outputs(case, "onnx", module, run)


def program_of(case: Case, module: nn.Module) -> ExportedProgram:
    """Export a module; each dimension that follows the batch may have any size."""
    remaining = iter(case.input_axes())

    def dynamic(_: torch.Tensor) -> Any:
        axis = next(remaining)
        return {} if axis is None else {axis: torch.export.Dim.DYNAMIC}

    inputs = case.inputs()
    dynamic_shapes = tuple(convert(value, dynamic, lambda _: None) for value in inputs)
    return torch.export.export(module, inputs, dynamic_shapes=dynamic_shapes)


def not_exported(error: Exception, fixed: list[str]) -> Finding:
    """Why torch.export gave up, in terms of `forward`; its own text names no way to mend it."""
    text = str(error)
    place, code = unexpected("export", error).path, ""
    problem, advice = f"{type(error).__name__}: {in_a_line(error)}", ""
    if "specialized it to be a constant" in text:
        place = fixed[0] if fixed else place
        problem = "this is written out for one size of the batch and holds for no other"
        advice = "Neither loop over the samples nor make a Python number of how many there are."
    elif "data-dependent" in text.lower():
        code = "NN404"
        problem = "what is done here depends on the value of a tensor"
        advice = BY_SHAPE
    return finding("export", place, f"cannot be exported: {problem}", code, advice)


def other_outputs(
    case: Case,
    name: str,
    module: nn.Module,
    run: Callable[[tuple[Any, ...]], Any],
) -> Findings:
    """Where what was exported gives another output than the module that it was made of."""
    # An exporter takes the batch for two or more, so one is what it may have got wrong.
    alone = (1,) if outcome_of(case, "single_sample") is None else ()
    for batch in (*alone, 2, 5):
        with torch.no_grad():
            expected = case.call(module, case.inputs(batch))
            try:
                actual = run(case.inputs(batch))
            except Exception as error:
                problem = f"does not run for a batch of {batch}: {in_a_line(error)}"
                yield finding(name, "forward", problem)
                continue
        if text := difference(actual, expected, 1e-4):
            yield finding(name, "forward", f"another output for a batch of {batch}: {text}")


def require_onnx() -> None:
    """Leave the check where a package that it needs is not installed."""
    missing = [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        command = f"pip install {' '.join(ONNX_PACKAGES)}"
        extra = "the extra `onnx`, where the project has it"
        raise NotApplicable(f"{missing[0]} is not installed: run {command} ({extra})")


def onnx_file(case: Case, module: nn.Module) -> bytes:
    """Export a module to ONNX: its graph and its weights."""
    program = torch.onnx.export(program_of(case, module), dynamo=True, verbose=False)
    assert program is not None  # only an export to a path returns none
    return program.model_proto.SerializeToString()


def runtime(file: bytes, output: Any) -> Callable[[tuple[Any, ...]], Any]:
    """What onnxruntime makes of a file: a function like forward, with outputs like that one."""
    onnxruntime: Any = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors, which are raised too
    options.intra_op_num_threads = 1  # a test is not alone on the machine
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]

    def run(inputs: tuple[Any, ...]) -> Any:
        arrays = [tensor.numpy() for _, tensor in tensors(inputs)]
        results = iter(session.run(None, dict(zip(names, arrays, strict=True))))
        return convert(output, lambda _: torch.from_numpy(next(results)))

    return run


def first_cause(error: BaseException) -> BaseException:
    """The error that the others, up to this one, were raised from."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def in_a_line(error: BaseException) -> str:
    """What an exporter or a runtime says, without its hints and stacks, which fill a screen."""
    first = str(error).strip().partition("\n")[0].partition(". Failure message")[0]
    return first.rstrip(".") or type(error).__name__


def translated_line(error: BaseException | None) -> str:
    """The author's line whose operator was being translated when an exporter to ONNX gave up."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            # No error tells it: it is what the exporter's own function was at work on.
            for value in frame.f_locals.values():
                if isinstance(value, torch.fx.Node):
                    return place_in(value.meta.get("stack_trace") or "") or "forward"
        error = error.__cause__
    return "forward"
