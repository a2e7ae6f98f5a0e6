"""Checks of memory, devices and precision: first values, `device=`, `dtype=`, and conversions."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.weight_norm import WeightNorm

from .case import Case
from .construction import all_unregistered
from .core import BUILT, RUNS, SOUND, STEADY, Findings, check, in_each_mode, unexpected
from .rules import Finding, NotApplicable, finding, require
from .training import make_double
from .tree import (
    arguments,
    convert,
    disagreement,
    overrides,
    state_of,
    submodules,
    tensors,
)
from .watches import DeviceWatch

# A part of torch that it leaves without types.
_DETERMINISTIC: Any = torch.utils.deterministic
# What torch says of an operation that it lacks in that precision on the CPU.
_LACKING = (
    "not implemented for",
    "Unsupported dtype BFloat16",
    "to be Half, Float or Double tensors",
    # oneDNN, whose LSTM needs AVX-512 for it
    "could not create a primitive descriptor",
)
_WEIGHT_NORM = (
    "Use `torch.nn.utils.parametrizations.weight_norm`, and assign to the `weight` in "
    "`reset_parameters()` of the module around it."
)
# What torch raises when a tensor without values is asked for one.
_WITHOUT_VALUES = (
    *("DataDependentOutputException", "DynamicOutputShapeException", "NotImplementedError"),
    *("GuardOnDataDependentSymNode", "UnsupportedFakeTensorException"),
    "UnsupportedOperatorException",
)


@check("registry", proves=BUILT, calls_forward=False, repeats=("NN108",))
def initialisation(case: Case) -> Findings:
    """Every parameter has a value that something wrote."""
    mark_memory()
    module = case.build()
    for name, parameter in module.named_parameters():
        if unwritten(parameter):
            yield finding(name, "nothing writes its initial values", "NN108")


def mark_memory() -> None:
    """For the rest of a check, fill what `torch.empty` returns: with NaN, or integers' maximum."""
    torch.use_deterministic_algorithms(True)
    _DETERMINISTIC.fill_uninitialized_memory = True


@check(BUILT, calls_forward=False, repeats=("NN108",))
def meta_initialisation(case: Case) -> Findings:
    """Built on the meta device, `to_empty` and `reset_parameters()` give a whole module."""
    ordinary = dict(state_of(case.build()))
    mark_memory()
    module, promised = case.from_meta()
    without = [path for path, part in submodules(module) if not hasattr(part, "reset_parameters")]
    for name, tensor in state_of(module):
        regular = ordinary.get(name, tensor)
        # A mask may be all True by right: what an ordinary build shows too proves nothing.
        if unwritten(tensor) and not unwritten(regular):
            owner = name.rpartition(".")[0]
            # One with neither `device=` nor a reset was never meant for it.
            if owner in without and not promised:
                continue
            missing = "has no reset_parameters()" if owner in without else "does not fill it"
            part = module.get_submodule(owner)
            hooks = part._forward_pre_hooks.values()
            fix = _WEIGHT_NORM if any(isinstance(hook, WeightNorm) for hook in hooks) else ""
            problem = f"stays unwritten after `to_empty()`: {type(part).__name__} {missing}"
            yield finding(name, problem, "NN108", fix)
        elif tensor.is_floating_point() and tensor.isinf().any() and regular.isfinite().all():
            yield finding(name, "is not finite after `reset_parameters()`", "NN108")


def unwritten(tensor: Tensor) -> bool:
    """Whether a tensor still shows the mark of memory that nothing wrote."""
    if tensor.numel() == 0 or tensor.is_meta or tensor.is_quantized:
        return False
    if tensor.is_floating_point() or tensor.is_complex():
        return bool(tensor.isnan().any())
    if tensor.dtype is torch.bool:
        return bool(tensor.all())
    return bool((tensor == torch.iinfo(tensor.dtype).max).all())


@check(RUNS, proves=STEADY, repeats=())
@in_each_mode
def host_fetches(case: Case, training: bool) -> Findings:
    """`forward` fetches no value to the host, which a GPU would have to wait for."""
    yield from watched_forward(case, training).findings("NN404")


@check(
    RUNS,
    "host_fetches",
    proves=STEADY,
    repeats=("NN103", "NN104", "NN105", "NN106", "NN107", "NN201", "NN404"),
    of_calls=True,
)
@in_each_mode
def devices(case: Case, training: bool) -> Findings:
    """`forward` computes on its inputs' device and names no other."""
    yield from watched_forward(case, training).findings("NN301")
    yield from misplaced(case, case.build(training=training))


def watched_forward(case: Case, training: bool) -> DeviceWatch:
    """What an ordinary forward names and fetches, line by line."""
    if ("watch", training) not in case.kept:
        module, inputs = case.build(training=training), case.inputs()
        with DeviceWatch() as watch:
            case.evaluate(module, inputs)
        case.kept["watch", training] = watch
    return case.kept["watch", training]


def misplaced(case: Case, module: nn.Module) -> list[Finding]:
    """What keeps a module whose state and inputs are on another device from running there."""
    try:
        # Torch's own affair, which a later one may move; and slow to import.
        from torch._subclasses.fake_tensor import FakeTensorMode
        from torch.fx.experimental.symbolic_shapes import ShapeEnv

        # Its tensors have no values.
        fake = FakeTensorMode(allow_non_fake_inputs=True, shape_env=ShapeEnv())
    except (ImportError, AttributeError) as error:
        raise NotApplicable(f"torch has changed what this needs: {error}") from None
    # Moved before the fake mode starts: inside it, `.to("meta")` fails on good modules too.
    state = {name: tensor.to("meta") for name, tensor in state_of(module)}
    args, kwargs = arguments(convert(case.inputs(), lambda tensor: tensor.to("meta")))
    moved = {id(parameter): state[name] for name, parameter in module.named_parameters()}
    watch = DeviceWatch("meta", moved)
    watch.earlier = case.kept.get("made", ())
    try:
        with torch.no_grad(), fake, watch:
            output = functional_call(module, state, args, kwargs)
        stray = [path for path, tensor in tensors(output, "output") if tensor.device.type != "meta"]
        problem = f"{stray[0]} is left on another device" if stray else watch.split
    except Exception as error:
        kind, problem = type(error).__name__, " ".join(str(error).split())
        if kind in _WITHOUT_VALUES:
            # To ask for a value is not wrong by itself; the devices named until then are.
            if named := watch.findings("NN301"):
                return named
            raise NotApplicable(f"depends on values ({kind})") from None
        if "device" not in problem or "autocast" in problem:
            raise NotApplicable(f"inconclusive without a device: {problem}") from None
    return culprits(watch, problem) if problem else []


def culprits(watch: DeviceWatch, problem: str) -> list[Finding]:
    """The lines behind a tensor on the wrong device, the most certain kind of them first."""
    certain = [one for code in ("NN301", "NN404", "NN302") for one in watch.findings(code)]
    lost = finding("forward", f"does not stay on the inputs' device: {problem}")
    return certain or [*watch.findings("NN206"), *watch.findings("NN201"), lost][:1]


@check(BUILT, calls_forward=False)
def device_argument(case: Case) -> Findings:
    """`device=` reaches every parameter and buffer."""
    try:
        module = case.raw_build(device="meta")
    except (RuntimeError, NotImplementedError) as error:
        yield unexpected(error, "cannot be built on the meta device: ")
        return
    yield from all_unregistered(module)
    for name, tensor in state_of(module):
        if tensor.device.type != "meta":
            problem = f"is on {tensor.device.type} though `device=` names another"
            yield finding(name, problem, fix="Pass `device=device` where it is created.")


@check(BUILT, calls_forward=False)
def dtype_argument(case: Case) -> Findings:
    """`dtype=` reaches every floating-point parameter and buffer."""
    module = case.build(dtype=torch.float64)
    yield from all_unregistered(module)
    fix = "Pass `dtype=dtype` where it is created."
    yield from of_other_type(module, torch.float64, fix)


def of_other_type(module: nn.Module, dtype: torch.dtype, fix: str) -> Findings:
    """The floating-point state that does not have the type asked for."""
    state = [(path, tensor) for path, tensor in state_of(module) if tensor.is_floating_point()]
    others = any(tensor.dtype is dtype for _, tensor in state)
    for path, tensor in state:
        # An override of `_apply` that spares a buffer, or a part of the module, does so on purpose.
        spared = others or not isinstance(tensor, nn.Parameter)
        chosen = spared and overrides(module, path.rpartition(".")[0], "_apply")
        if tensor.dtype is not dtype and not chosen:
            yield finding(path, f"is {tensor.dtype} instead of {dtype}", fix=fix)


@check(SOUND)
def double(case: Case) -> Findings:
    """`.double()` converts everything, and forward runs."""
    yield from converted(case, torch.float64)


@check(SOUND)
def bfloat16(case: Case) -> Findings:
    """`.bfloat16()` converts everything, and forward runs."""
    yield from converted(case, torch.bfloat16)


def converted(case: Case, dtype: torch.dtype) -> Findings:
    """What a conversion leaves behind, or why forward fails after it."""
    module = case.build(training=False)
    # Not `.to(dtype)`, which would throw the imaginary part of complex state away.
    make_double(module) if dtype is torch.float64 else module.bfloat16()
    yield from of_other_type(module, dtype, "Let `_apply` reach it.")
    yield from runs(case, module, dtype)


@check(SOUND)
def autocast(case: Case) -> Findings:
    """Forward runs under `torch.autocast`."""
    require_single(case)
    module = case.build(training=False)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = list(runs(case, module))
    yield from found


def require_single(case: Case) -> None:
    """Leave what casts from float32 to half precision if the module has another one already."""
    require(case.precision()[1] is torch.float32, "its inputs or parameters are not in float32")


def runs(case: Case, module: nn.Module, dtype: torch.dtype | None = None) -> Findings:
    """Why forward fails in that precision; an operation that torch lacks is not a fault."""
    try:
        case.evaluate(module, case.inputs(dtype=dtype))
    except (RuntimeError, ValueError, TypeError) as error:
        if any(text in str(error) for text in _LACKING):
            raise NotApplicable(f"torch lacks an operation on the CPU: {error}") from None
        if dtype is torch.bfloat16 and meets_complex(case):
            raise NotApplicable("torch has no complex numbers of that precision") from None
        fix = "Give tensors made in `forward` the input's dtype: `dtype=x.dtype`."
        yield unexpected(error, fix=fix)


def meets_complex(case: Case) -> bool:
    """Whether the state, an input or the output is complex."""
    module, inputs = case.build(training=False), case.inputs()
    met = (dict(state_of(module)), inputs, case.evaluate(module, inputs))
    return any(tensor.is_complex() for _, tensor in tensors(met))


@check(SOUND)
def cuda(case: Case) -> Findings:
    """On a CUDA device the module computes what it computes on the CPU, and it comes back whole."""
    require(torch.cuda.is_available(), "no CUDA device")
    module = case.build(training=False)
    expected = case.evaluate(module)
    module.to("cuda")
    inputs = convert(case.inputs(), lambda tensor: tensor.to("cuda"))
    # TensorFloat-32 would differ from the CPU by design.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        output = case.evaluate(module, inputs)
    for path, tensor in tensors(output, "output"):
        if tensor.device.type != "cuda":
            yield finding(path, "is left on the CPU", "NN302")
    actual = convert(output, lambda tensor: tensor.cpu())
    yield from disagreement("forward", "CPU and CUDA disagree", actual, expected, 1e-3)
    module.to("cpu")
    problem = "another output after the return to the CPU"
    yield from disagreement("forward", problem, case.evaluate(module), expected)
