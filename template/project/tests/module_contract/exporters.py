"""Slow checks: compilers and exporters take the whole of forward; and why one gives up."""

import contextlib
import importlib.util
import re
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from .case import Case, Contract
from .core import SOUND, Findings, check, isolated, outcome_of, unexpected
from .devices import watched_forward
from .rules import Finding, NotApplicable, Place, finding
from .tree import apply, arguments, convert, disagreement, tensors
from .watches import lines_that_change, place_in, place_of

# What writes ONNX, what torch writes it with, and what runs it.
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
BY_VALUE = "cannot be exported: what is done here depends on the value of a tensor"
BY_SHAPE = "Decide by shapes and arguments, not by the values of tensors."
# How errors of torch's exporters say what stood in their way, by names and by texts.
_BY_VALUE = (
    *("GuardOnDataDependentSymNode", "DataDependentOutput", "DynamicOutputShape"),
    *("ata-dependent", ".numpy() is not supported", "FakeTensor.__format__", "_local_scalar_dense"),
)
_OF_DEVICES = (
    *("not compiled with CUDA", "No CUDA GPUs", "Found no NVIDIA driver"),
    *("is not on the expected device", "to be on the same device"),
)
_FIXED_SIZE = ("ConstraintViolationError", "specialized it to be a constant")
# Tracers take batches of 0 and 1 for cases of their own, so what holds from 2 on is not a limit.
_SIZES = (2, 3, 4, 5, 7, 8, 16, 17, 32, 64, 100, 1000, 10000)


@check(SOUND, slow=True)
def compilation(case: Case) -> Findings:
    """`torch.compile(fullgraph=True)` finds no graph break and gives the same output."""
    module = case.build(training=False)
    torch.compiler.reset()
    compiled: Any = torch.compile(module, fullgraph=True, backend="eager")
    expected = case.evaluate(module)
    try:
        actual = case.evaluate(compiled)
    except Exception as error:
        yield not_compiled(error)
        return
    finally:
        torch.compiler.reset()
    yield from disagreement("forward", "another output when compiled", actual, expected, 1e-4)


def not_compiled(error: Exception) -> Finding:
    """Why the compiler gave up, in its first line; its hints and stacks fill a screen."""
    text = str(error)
    if "wrap RNN, GRU, or LSTM" in text:
        raise NotApplicable("torch.compile takes no nn.RNN, nn.GRU or nn.LSTM") from None
    problem = f"does not compile: {type(error).__name__}: {in_a_line(error)}"
    _, _, stack = text.partition("from user code:")
    where = place_in(stack) or place_of(error) or "forward"
    fix = BY_SHAPE if "data-dependent" in text.lower() else ""
    return finding(where, problem, fix=fix)


@check(SOUND, slow=True)
def torchscript(case: Case) -> Findings:
    """Where the module promises it, TorchScript compiles it to the same function."""
    if not case.contract.torchscript:
        raise NotApplicable("the module does not promise TorchScript (`torchscript = True`)")
    module = case.build(training=False)
    try:
        scripted = torch.jit.script(module)  # noqa: NN502
    except Exception as error:
        yield unexpected(error, "cannot be scripted: ")
        return
    expected, actual = case.evaluate(module), case.evaluate(scripted)
    yield from disagreement("forward", "another output when scripted", actual, expected, 1e-4)


@check(SOUND, slow=True)
def export(case: Case) -> Findings:
    """`torch.export` with a dynamic batch gives a program that serves other batch sizes."""
    case.require_batch(of_output=False)
    module = case.build(training=False)
    try:
        program = program_of(case, module)
    except Exception as error:
        yield from reasons(error, case)
        return
    finally:
        torch.compiler.reset()
    case.kept["program"] = program
    found = list(other_outputs(case, module, program.module()))
    yield from (found and list(fixed_sizes(case))) or found


@check(SOUND, "export", slow=True)
def onnx(case: Case) -> Findings:
    """The ONNX file of the module, with a dynamic batch, gives the same output in onnxruntime."""
    missing = [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        command = f"pip install {' '.join(ONNX_PACKAGES)}"
        extra = "the extra `onnx`, where the project has it"
        raise NotApplicable(f"{missing[0]} is not installed: run {command} ({extra})")
    case.require_batch(of_output=False)
    if "export" in case.contract.opt_out:
        raise NotApplicable("ONNX is made of what torch.export writes, which is left out here")
    module = case.build(training=False)
    output = case.evaluate(module)
    if any(tensor.is_complex() for _, tensor in tensors((case.inputs(), output))):
        raise NotApplicable("onnxruntime takes no complex numbers")
    if case.precision()[1] is torch.bfloat16:
        raise NotApplicable("onnxruntime takes no torch.bfloat16 on the CPU")
    fix = "Say it in operators that ONNX has, or opt out: `torch.export` can serve it."
    try:
        program: Any = torch.onnx.export(case.kept["program"], dynamo=True, verbose=False)
        file = program.model_proto.SerializeToString()
    except Exception as error:
        first = causes(error)[0]
        if "only 4D query" in str(first):
            raise NotApplicable(f"torch's exporter to ONNX has its limits: {first}") from None
        problem = f"cannot be exported to ONNX: {type(first).__name__}: {in_a_line(first)}"
        yield finding(translated_line(error) or "forward", problem, fix=fix)
        return
    finally:
        torch.compiler.reset()
    try:
        run = runtime(file, output)
    except Exception as error:
        yield finding("forward", f"onnxruntime does not take it: {in_a_line(error)}", fix=fix)
        return
    yield from other_outputs(case, module, run)


def program_of(case: Case, module: nn.Module) -> Any:
    """Export a module; each dimension that follows the batch may have any size."""
    remaining = iter(case.input_axes())

    def dynamic(_: Tensor) -> Any:
        axis = next(remaining)
        return {} if axis is None else {axis: torch.export.Dim.DYNAMIC}

    inputs = case.inputs()
    dynamic_shapes = convert(inputs, dynamic, lambda _: None)
    return torch.export.export(module, *arguments(inputs), dynamic_shapes=dynamic_shapes)


def other_outputs(case: Case, module: nn.Module, run: Callable[..., Any]) -> Findings:
    """Where what was exported gives another output than the module that it was made of."""
    # An exporter takes the batch for two or more, so one is what it may have got wrong.
    alone = (1,) if outcome_of(case, "single_sample") is None else ()
    for batch in (*alone, 2, 5):
        expected = case.evaluate(module, case.inputs(batch))
        try:
            actual = case.evaluate(run, case.inputs(batch))
        except Exception as error:
            yield finding("forward", f"does not run for a batch of {batch}: {in_a_line(error)}")
        else:
            problem = f"another output for a batch of {batch}"
            yield from disagreement("forward", problem, actual, expected, 1e-4)


def runtime(file: bytes, output: Any) -> Callable[..., Any]:
    """What onnxruntime makes of a file: a function like forward, with outputs like that one."""
    onnxruntime: Any = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors, which are raised too
    options.intra_op_num_threads = 1  # a test is not alone on the machine
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]

    def run(*args: Any, **kwargs: Any) -> Any:
        arrays = [tensor.numpy() for _, tensor in tensors((args, kwargs))]
        results = iter(session.run(None, dict(zip(names, arrays, strict=True))))
        return convert(output, lambda _: torch.from_numpy(next(results)))

    return run


def reasons(error: Exception, case: Case | None, callers: str = "") -> Findings:
    """Why an exporter gave up on a module, in terms of `forward`; its own text has no fix."""
    chain = causes(error)
    text = "\n".join(f"{type(cause).__name__}: {cause}" for cause in chain)
    said = f"cannot be exported: {type(chain[0]).__name__}: {in_a_line(chain[0])}"
    lines = (place_of(cause, callers) for cause in chain)
    where = translated_line(error) or next(filter(None, lines), None) or "forward"
    if any(sign in text for sign in _BY_VALUE):
        yield finding(where, BY_VALUE, "NN404", BY_SHAPE)
    elif any(sign in text for sign in _OF_DEVICES):
        yield finding(where, said, "NN301")
    elif any(sign in text for sign in _FIXED_SIZE):
        found = list(fixed_sizes(case)) if case else []
        problem = f"cannot be exported: it holds for one size of the batch only: {in_a_line(error)}"
        yield from found or [finding(where, problem)]
    else:
        yield finding(where, said)


def explain_error(error: Exception, contract: Contract | None, callers: str) -> list[Finding]:
    """What stands behind an error of an exporter.

    Args:
        error: What it raised.
        contract: The module's, if it could be built; it lets more lines be named.
        callers: The folder of whoever asked for the export, whose lines are not the author's.
    """
    with isolated():
        found = list(reasons(error, Case(contract) if contract else None, callers))
    return [replace(one, check="export") for one in found]


def fixed_sizes(case: Case) -> Findings:
    """The lines that hold for some sizes of the batch only, each with its condition."""
    found: dict[Place, str] = {}
    # Torch may have changed what this looks at: no line is named then, and nothing fails.
    with contextlib.suppress(Exception):
        found = conditions_on_batch(case)
    fetched = watched_forward(case, training=False).noted["NN404"] if found else {}
    for line, condition in found.items():
        if line in fetched:
            yield finding(line, BY_VALUE, "NN404", BY_SHAPE)
            continue
        problem = f"cannot be exported: this holds for some sizes of the batch only: {condition}"
        fix = "Compute on the whole batch, without a loop over it or a condition on its size."
        yield finding(line, problem, fix=fix)


def conditions_on_batch(case: Case) -> dict[Place, str]:
    """Trace forward with a free batch, and note the lines that limit it."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext

    module, remaining = case.build(training=False), iter(case.input_axes())
    environment = ShapeEnv()
    fake = FakeTensorMode(allow_non_fake_inputs=True, shape_env=environment)

    def free(tensor: Tensor) -> Tensor:
        axis = next(remaining)
        sizes = [DimDynamic.DUCK if at == axis else DimDynamic.STATIC for at in range(tensor.dim())]
        context: Any = StatelessSymbolicContext(dynamic_sizes=sizes)
        return fake.from_tensor(tensor, symbolic_context=context)

    inputs = convert(case.inputs(), free)
    with (
        torch.no_grad(),
        fake,
        ConvolutionsFree(environment),
        lines_that_change(lambda: len(environment.guards)) as lines,
        contextlib.suppress(Exception),  # how far it gets is all that matters
    ):
        apply(module, inputs)
    found: dict[Place, str] = {}
    done = 0
    for line, count in lines:
        for guard in environment.guards[done:count]:
            # All batches are of one size, for which there is one symbol.
            batch = next(iter(guard.expr.free_symbols), None)
            if batch is not None and any(guard.expr.subs(batch, size) != True for size in _SIZES):  # noqa: E712
                found.setdefault(line, str(guard.expr).replace(str(batch), "batch"))
        done = count
    return found


class ConvolutionsFree(TorchDispatchMode):
    """Lets no convolution limit the batch: by its size torch chooses how, and takes any."""

    def __init__(self, environment: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.environment = environment

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        convolves = func is torch.ops.aten.convolution.default
        with self.environment.suppress_guards() if convolves else contextlib.nullcontext():
            return func(*args, **(kwargs or {}))


def causes(error: BaseException) -> list[BaseException]:
    """An error and what it was raised from, the first cause first."""
    chain: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and found not in chain:
        chain.insert(0, found)
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    return chain


def in_a_line(error: BaseException) -> str:
    """What an exporter or a runtime says, without its hints and stacks, which fill a screen."""
    first = str(error).strip().partition("\n")[0].partition(". Failure message")[0]
    # Some colour their texts for a terminal.
    return re.sub(r"\x1b\[[0-9;]*m", "", first).rstrip(".") or "no message"


def translated_line(error: BaseException) -> Place | None:
    """The author's line whose operator was being translated when an exporter to ONNX gave up."""
    for cause in reversed(causes(error)):
        for frame, _ in traceback.walk_tb(cause.__traceback__):
            # No error names it: it is what the exporter's own function was at work on.
            for value in frame.f_locals.values():
                if isinstance(value, torch.fx.Node):
                    return place_in(value.meta.get("stack_trace") or "")
    return None
