"""Checks of calls: what forward returns, in both modes, for any batch, and under torch.func."""

import inspect
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.func import vmap as vectorised

from .case import BATCH, Case
from .core import BUILT, RUNS, SOUND, STEADY, Findings, check, unexpected
from .rules import Finding, NotApplicable, Unwritten, finding, require
from .tree import (
    apply,
    arguments,
    convert,
    difference,
    disagreement,
    is_shape,
    learns,
    narrowed,
    overrides,
    shapes,
    state_of,
    submodules,
    tensors,
)
from .watches import DeviceWatch, lines_that_change, random_states

_NO_BATCHING_RULE = (
    *("Batching rule not implemented", "do not yet support"),
    # A boolean mask as an index, say: its result has a shape that depends on values.
    "operators that can support dynamic shape",
)
_CLEAR = (ValueError, RuntimeError, TypeError, IndexError, AssertionError)
_VMAP_RULE = "Give the `autograd.Function` a `setup_context` and `generate_vmap_rule = True`."
_NO_VMAP = "Compute by operations of torch on each sample alone, or opt out with the reason."
_ANY_SIZE = "Keep the batch dimension whatever its size."


@check(BUILT, proves=RUNS, repeats=(), stops=True, of_calls=True)
def forward(case: Case) -> Findings:
    """`forward` runs in both modes and returns the stated shape."""
    for name, state in (("inputs", case.inputs), ("output_shape", case.contract.output_shape)):
        try:
            state(BATCH)
        except Exception as error:
            yield unexpected(error, f"{name}({BATCH}) raises ")
            return
    for training in sorted(case.modes):
        module = case.build(training=training)
        with DeviceWatch() as watch:
            # To be known again in a cache of a class or of the file.
            case.kept.setdefault("made", watch.made)
            try:
                output = case.call(module, case.inputs())
            except NotImplementedError as error:
                raise Unwritten(error) from None
            except Exception as error:
                mode = "training" if training else "eval"
                raised = unexpected(error, f"in {mode} mode raises ")
                yield from watch.findings("NN301") or [misfit(case, module) or raised]
                return
        if wrong := of_one_batch(case):
            yield wrong
            return
        actual, expected = shapes(output), case.output_shape()
        if actual != expected and not has_extras(actual, expected, training):
            yield finding("output_shape", f"returns shape {actual}, stated is {expected}")
            return


def misfit(case: Case, module: nn.Module) -> Finding | None:
    """That the stated inputs are not the arguments of forward, if so."""
    args, kwargs = arguments(case.inputs())
    signature = inspect.signature(module.forward)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        takes = f"`forward` takes `{', '.join(signature.parameters)}`."
        return finding("inputs", f"do not fit forward: {error}", fix=takes)
    return None


def of_one_batch(case: Case) -> Finding | None:
    """That a shape is stated which does not follow the batch as the output does, if so."""
    stated, other = map(case.contract.output_shape, (2, 3))
    if stated is None or stated != other:
        return None
    module = case.build(training=False)
    small, large = (shapes(case.evaluate(module, case.inputs(size))) for size in (2, 3))
    if not (is_shape(small) and is_shape(large)) or len(small) != len(large) or small == large:
        return None
    pairs = zip(small, large, strict=True)
    sizes = ", ".join(str(one) if one == two else '"batch"' for one, two in pairs)
    problem = f"is {stated} for any number of samples, but two give {small} and three {large}"
    return finding("output_shape", problem, fix=f"State it as `({sizes})`.")


def has_extras(actual: object, expected: object, training: bool) -> bool:
    """Whether training may return more than is stated, such as outputs of auxiliary heads."""
    return training and not (is_shape(actual) and is_shape(expected))


@check(RUNS)
def output_dtype(case: Case) -> Findings:
    """Floating-point outputs have the precision of parameters and inputs."""
    output = case.evaluate(case.build(training=False))
    what, expected = case.precision()
    for path, tensor in tensors(output, "output"):
        if tensor.is_floating_point() and tensor.dtype is not expected:
            problem = f"is {tensor.dtype} where {what} are {expected}"
            yield finding(path, problem, fix="Give tensors made in `forward` the input's dtype.")


@check(RUNS)
def finite_output(case: Case) -> Findings:
    """Ordinary inputs give finite outputs."""
    found = list(tensors(case.evaluate(case.build(training=False)), "output"))
    require(found, "forward returns no tensor")
    for path, tensor in found:
        if not torch.isfinite(tensor).all():
            yield finding(path, "holds NaN or infinite values")


@check(
    RUNS,
    "devices",
    "retained_state",
    proves=STEADY,
    repeats=("NN103", "NN106", "NN108", "NN203"),
    of_calls=True,
)
def eval_determinism(case: Case) -> Findings:
    """In eval mode the same input gives the same output, whatever the random state."""
    # Two modules, so that one which keeps state between calls is not taken for a random one.
    module, other = case.build(training=False), case.build(training=False)
    if not difference(case.evaluate(other, seed=1), case.evaluate(module)):
        return
    inputs = case.inputs()
    with lines_that_change(random_states) as lines:
        case.evaluate(module, inputs)
    for line in dict.fromkeys(line for line, _ in lines):
        yield finding(line, "is random in eval mode too", "NN402")
    if not lines:
        # What it draws from or counts is out of sight: the system's numbers, or a global.
        problem = "gives another output for the same input, in eval mode too"
        fix = "Draw nothing, and keep nothing from call to call, unless `self.training`."
        yield finding("forward", problem, "NN402", fix)


@check(BUILT, calls_forward=False, repeats=())
def mode_switch(case: Case) -> Findings:
    """`train()` and `eval()` reach every child."""
    module = case.raw_build()
    frozen = frozen_parts(module)
    for training in (False, True):
        module.train() if training else module.eval()
        problem = f"`{'train' if training else 'eval'}()` does not reach it"
        for path, part in module.named_modules():
            if part.training is not training and not (training and kept_in_eval(module, path)):
                fix = "Call `super().train(mode)` in an override of `train`."
                yield finding(path or type(part).__name__, problem, fix=fix)
    for path in frozen:
        if module.get_submodule(path).training:
            problem = "the constructor freezes it in eval mode, and the first `train()` undoes that"
            fix = f"Override `train`: call `super().train(mode)`, then `self.{path}.eval()`."
            yield finding(path, problem, fix=fix)


def kept_in_eval(module: nn.Module, path: str) -> bool:
    """Whether an override of `train` keeps a part in eval by choice: frozen, or one of many."""
    part = module.get_submodule(path)
    reached = any(one.training for _, one in submodules(module) if one is not module)
    return overrides(module, path, "train") and bool(path) and (reached or not learns(part))


def frozen_parts(module: nn.Module) -> list[str]:
    """The children that a constructor left in eval mode with nothing that learns."""
    found: list[str] = []
    for path, part in submodules(module) if module.training else ():
        inner = path.startswith(tuple(f"{outer}." for outer in found))
        if not part.training and not learns(part) and state_of(part) and not inner:
            found.append(path)
    return found


@check(SOUND, "mode_switch")
def mode_difference(case: Case) -> Findings:
    """The modes differ by what reads `self.training`, not by what `train()` does besides."""
    switched, flagged = case.build(training=False), case.build(training=False)
    switched.train()
    for part, same in zip(flagged.modules(), switched.modules(), strict=True):
        part.training = same.training
    actual, expected = case.evaluate(switched), case.evaluate(flagged)
    problem, fix = "does more than set `training`", "Decide by `self.training` in `forward`."
    yield from disagreement("train()", problem, actual, expected, fix=fix)


@check(SOUND, repeats=(), of_calls=True)
def single_sample(case: Case) -> Findings:
    """A batch of one keeps its batch dimension."""
    yield from of_size(case, 1, _ANY_SIZE)


@check(SOUND, "single_sample")
def single_sample_training(case: Case) -> Findings:
    """A batch of one works in training mode too."""
    yield from of_size(case, 1, _ANY_SIZE, training=True)


def of_size(case: Case, batch: int, fix: str, *, training: bool = False) -> Findings:
    """What is wrong with the output for a batch of that size."""
    module, expected = case.build(training=training), case.output_shape(batch)
    with DeviceWatch() as watch:
        try:
            actual = shapes(case.evaluate(module, case.inputs(batch)))
        except Exception as error:
            if "Expected more than 1 value per channel" in str(error):
                raise NotApplicable("batch statistics need more than one value") from None
            if "cannot reshape tensor of 0 elements" in str(error) and not case.contract.strict:
                raise NotApplicable("a batch of none is advice only (`strict = False`)") from None
            found = unexpected(error, f"for a batch of {batch} raises ", fix)
        else:
            if actual == expected or has_extras(actual, expected, training):
                return
            problem = f"returns shape {actual} for a batch of {batch}, not {expected}"
            found = finding("forward", problem, fix=fix)
    culprits = [line for line, shape in watch.squeezed.items() if batch == 1 and 1 in shape]
    for line in culprits:
        yield finding(line, f"`squeeze()` names no dimension: {found.problem}", "NN405")
    if not culprits:
        yield found


@check(SOUND, "single_sample")
def empty_batch(case: Case) -> Findings:
    """A batch of none gives an output with none."""
    case.require_batch()
    fix = "Return an empty result for an empty batch, or opt out with the reason."
    yield from of_size(case, 0, fix)


@check(SOUND, "single_sample", "changed_context")
def batch_invariance(case: Case) -> Findings:
    """In eval mode a sample's output does not depend on its neighbours in the batch."""
    case.require_batch()
    axes, output_axes = case.input_axes(), case.output_axes()
    module, inputs = case.build(training=False), case.inputs()
    together = case.evaluate(module, inputs)

    def batched(output: Any) -> list[Tensor]:
        # What has no batch dimension, such as a mean loss, is of the whole batch by nature.
        found = zip(tensors(output), output_axes, strict=False)
        return [tensor for (_, tensor), axis in found if axis is not None]

    for index in range(BATCH):
        alone = batched(case.evaluate(module, narrowed(inputs, axes, index)))
        expected = batched(narrowed(together, output_axes, index))
        if text := difference(alone, expected, 1e-4):
            fix = "Do not mix samples in eval mode."
            yield finding("forward", f"sample {index} computed alone: {text}", fix=fix)
            return


@check(SOUND)
def strided_inputs(case: Case) -> Findings:
    """Inputs that are not contiguous give the same output."""
    module = case.build(training=False)
    inputs = case.inputs()
    require(any(tensor.dim() for _, tensor in tensors(inputs)), "no input has a dimension")
    try:
        expected = case.evaluate(module, inputs)
        actual = case.evaluate(module, convert(inputs, strided))
    except RuntimeError as error:
        yield unexpected(error, fix="Use `.reshape()` where `.view()` needs contiguous memory.")
        return
    problem = "another output for strided inputs"
    yield from disagreement("forward", problem, actual, expected, 1e-5)


def strided(tensor: Tensor) -> Tensor:
    """The same values in memory with gaps and in another order."""
    if not tensor.dim():
        return tensor
    wide = torch.stack([tensor, torch.zeros_like(tensor)], dim=-1).transpose(0, -2).contiguous()
    return wide.transpose(0, -2)[..., 0]


@check(SOUND)
def wrong_shape(case: Case) -> Findings:
    """An input of the wrong shape works or gives an error that says something."""
    module = case.build(training=False)
    inputs = case.inputs()
    named = isinstance(inputs, Mapping)
    for key, value in inputs.items() if named else enumerate(inputs):
        if not isinstance(value, Tensor) or not value.dim() or not value.is_floating_point():
            continue
        for wrong in (torch.cat([value, value[..., :1]], dim=-1), value.flatten()[0]):
            given = {**inputs, key: wrong} if named else (*inputs[:key], wrong, *inputs[key + 1 :])
            if unclear := unclear_error(module, given):
                shape = tuple(wrong.shape)
                problem = f"shape {shape} instead of {tuple(value.shape)} gives {unclear}"
                fix = "Raise a `ValueError` that states the expected shape."
                yield finding(f"inputs[{key!r}]", problem, fix=fix)
                return


def unclear_error(module: nn.Module, inputs: Any) -> str:
    """What an error fails to say; nothing if there is none or it is clear."""
    try:
        with torch.no_grad():
            apply(module, inputs)
    except Exception as error:
        if not str(error).strip():
            return f"{type(error).__name__} without a message"
        if not isinstance(error, _CLEAR):
            return f"{type(error).__name__}: {error}"
    return ""


@check(SOUND)
def functional(case: Case) -> Findings:
    """`functional_call` with other weights computes what a module with those weights does."""
    module, changed = case.build(training=False), case.build(training=False)
    with torch.no_grad():
        for value in changed.parameters():
            if value.is_floating_point():
                value.mul_(0.5)
    weights: dict[str, Tensor] = dict(changed.named_parameters())
    expected = case.evaluate(changed)
    actual = case.evaluate(lambda *args, **named: functional_call(module, weights, args, named))
    problem = "does not follow the weights that it is given"
    fix = "Read the parameters in `forward`; keep nothing that is computed from them."
    yield from disagreement("functional_call", problem, actual, expected, fix=fix)


@check(SOUND)
def vmap(case: Case) -> Findings:
    """`torch.func.vmap` over a further dimension gives what single calls give, in eval mode."""
    module = case.build(training=False)
    batches = [case.inputs(seed=seed) for seed in (0, 1)]
    given = [[tensor for _, tensor in tensors(batch)] for batch in batches]
    require(given[0], "no input is a tensor")

    def call(*values: Tensor) -> Any:
        remaining = iter(values)
        return apply(module, convert(batches[0], lambda _: next(remaining)))

    expected = [case.evaluate(module, batch) for batch in batches]
    stacked = [torch.stack(pair) for pair in zip(*given, strict=True)]
    try:
        with torch.no_grad():
            output = vectorised(call, randomness="different")(*stacked)
    except RuntimeError as error:
        if any(text in str(error) for text in _NO_BATCHING_RULE):
            raise NotApplicable(f"torch has no batching rule: {error}") from None
        old = "setup_context" in str(error)
        yield unexpected(error, fix=_VMAP_RULE if old else _NO_VMAP)
        return
    for index, one in enumerate(expected):
        if text := difference(convert(output, itemgetter(index)), one, 1e-4):
            yield finding("forward", f"differs under vmap: {text}", fix=_NO_VMAP)
            return
