"""Checks of calls: what forward returns, in both modes, for any batch, and under torch.func."""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.func import vmap as vectorised

from .core import BUILT, RUNS, SOUND, Case, Findings, check, unexpected
from .findings import NotApplicable, finding
from .isolation import seed_everything
from .tree import (
    apply,
    arguments,
    convert,
    difference,
    is_shape,
    narrowed,
    shapes,
    submodules,
    tensors,
)
from .watches import DeviceWatch, lines_that_change, random_states

_NO_BATCHING_RULE = ("Batching rule not implemented", "do not yet support")
_CLEAR = (ValueError, RuntimeError, TypeError, IndexError, AssertionError)


@check(after=BUILT)
def forward(case: Case) -> Findings:
    """`forward` runs in both modes and returns the stated shape."""
    for training in sorted(case.modes):
        module = case.build(training=training)
        with DeviceWatch() as watch:
            try:
                output = case.call(module, case.inputs())
            except NotImplementedError:
                raise
            except Exception as error:
                literals = list(watch.literals())
                mode = "training" if training else "eval"
                yield from literals or [unexpected(error, f"in {mode} mode raises ")]
                return
        actual, expected = shapes(output), case.output_shape()
        # Training may return more than is stated, such as the outputs of auxiliary heads.
        if training and not (is_shape(actual) and is_shape(expected)):
            return
        if actual != expected:
            yield finding("output_shape", f"returns shape {actual}, stated is {expected}")
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
            yield finding(path, problem, fix="Give tensors made in `forward` the input's dtype.")


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
            yield finding(path, "holds NaN or infinite values")


@check(after=(*RUNS, "devices"))
def eval_determinism(case: Case) -> Findings:
    """In eval mode the same input gives the same output, whatever the random state."""
    # Two modules, so that one which keeps state between calls is not taken for a random one.
    modules = case.build(training=False), case.build(training=False)
    inputs = case.inputs(), case.inputs()
    with torch.no_grad():
        first = case.call(modules[0], inputs[0], seed=0)
        second = case.call(modules[1], inputs[1], seed=1)
    if not difference(second, first):
        return
    with torch.no_grad(), lines_that_change(random_states) as lines:
        case.call(modules[0], case.inputs())
    for line in dict.fromkeys(line for line, _ in lines):
        yield finding(line, "is random in eval mode too", "NN402")
    if not lines:
        # What it draws from or counts is out of sight: the system's numbers, or a global.
        problem = "gives another output for the same input, in eval mode too"
        fix = "Draw nothing, and keep nothing from call to call, unless `self.training`."
        yield finding("forward", problem, "NN402", fix)


@check(after=BUILT, calls_forward=False)
def mode_switch(case: Case) -> Findings:
    """`train()` and `eval()` reach every child."""
    module = case.build()
    for training in (False, True):
        name = "train()" if training else "eval()"
        module.train() if training else module.eval()
        for path, part in submodules(module):
            if part.training is not training:
                fix = "Call `super().train(mode)` in an override of `train`."
                yield finding(path or type(part).__name__, f"`{name}` does not reach it", fix=fix)


@check(after=(*SOUND, "mode_switch"))
def mode_difference(case: Case) -> Findings:
    """The modes differ by what reads `self.training`, not by what `train()` does besides."""
    switched = case.build(training=False)
    switched.train()
    flagged = case.build(training=False)
    for _, part in submodules(flagged):
        part.training = True
    with torch.no_grad():
        text = difference(
            case.call(switched, case.inputs()),
            case.call(flagged, case.inputs()),
        )
    if text:
        fix = "Decide by `self.training` in `forward`."
        yield finding("train()", f"does more than set `training`: {text}", fix=fix)


@check(after=SOUND)
def single_sample(case: Case) -> Findings:
    """A batch of one keeps its batch dimension."""
    yield from one_sample(case, training=False)


@check(after=(*SOUND, "single_sample"))
def single_sample_training(case: Case) -> Findings:
    """A batch of one works in training mode too."""
    yield from one_sample(case, training=True)


def one_sample(case: Case, *, training: bool) -> Findings:
    """What is wrong with the output for a single sample."""
    module = case.build(training=training)
    expected = case.output_shape(1)
    fix = "Keep the batch dimension whatever its size."
    with DeviceWatch() as watch, torch.no_grad():
        try:
            actual = shapes(case.call(module, case.inputs(1)))
        except Exception as error:
            if "Expected more than 1 value per channel" in str(error):
                raise NotApplicable("batch statistics need more than one value") from None
            found = unexpected(error, "for a batch of 1 raises ", fix)
        else:
            if actual == expected:
                return
            if training and not (is_shape(actual) and is_shape(expected)):
                return
            problem = f"returns shape {actual} for a batch of 1, not {expected}"
            found = finding("forward", problem, fix=fix)
    culprits = [line for line, shape in watch.squeezed.items() if 1 in shape]
    for line in culprits:
        yield finding(line, f"`squeeze()` names no dimension: {found.problem}", "NN405")
    if not culprits:
        yield found


@check(after=(*SOUND, "single_sample"))
def empty_batch(case: Case) -> Findings:
    """A batch of none gives an output with none."""
    case.require_batch()
    module = case.build(training=False)
    try:
        with torch.no_grad():
            output = case.call(module, case.inputs(0))
    except Exception as error:
        fix = "Return an empty result for an empty batch, or opt out with the reason."
        yield unexpected(error, "for a batch of 0 raises ", fix)
        return
    actual, expected = shapes(output), case.output_shape(0)
    if actual != expected:
        yield finding("forward", f"returns shape {actual} for a batch of 0, not {expected}")


@check(after=(*SOUND, "single_sample"))
def batch_invariance(case: Case) -> Findings:
    """In eval mode a sample's output does not depend on its neighbours in the batch."""
    case.require_batch()
    axes, output_axes = case.input_axes(), case.output_axes()
    batched = [index for index, axis in enumerate(output_axes) if axis is not None]
    module = case.build(training=False)
    inputs = case.inputs()
    with torch.no_grad():
        together = case.call(module, inputs)
        for index in range(3):
            trees = (
                case.call(module, narrowed(inputs, axes, index)),
                narrowed(together, output_axes, index),
            )
            # What has no batch dimension, such as a mean loss, is of the whole batch by nature.
            apart, expected = ([[*tensors(tree)][at][1] for at in batched] for tree in trees)
            if text := difference(apart, expected, 1e-4):
                fix = "Do not mix samples in eval mode."
                yield finding("forward", f"sample {index} computed alone: {text}", fix=fix)
                return


@check(after=SOUND)
def strided_inputs(case: Case) -> Findings:
    """Inputs that are not contiguous give the same output."""
    module = case.build(training=False)
    inputs = case.inputs()
    if not any(tensor.dim() for _, tensor in tensors(inputs)):
        raise NotApplicable("no input has a dimension")
    try:
        with torch.no_grad():
            expected = case.call(module, inputs)
            actual = case.call(module, convert(inputs, strided))
    except RuntimeError as error:
        yield unexpected(error, fix="Use `.reshape()` where `.view()` needs contiguous memory.")
        return
    if text := difference(actual, expected, 1e-5):
        yield finding("forward", f"another output for strided inputs: {text}")


def strided(tensor: Tensor) -> Tensor:
    """The same values in memory with gaps and in another order."""
    if not tensor.dim():
        return tensor
    wide = torch.stack([tensor, torch.zeros_like(tensor)], dim=-1).transpose(0, -2).contiguous()
    return wide.transpose(0, -2)[..., 0]


@check(after=SOUND)
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


@check(after=SOUND)
def functional(case: Case) -> Findings:
    """`functional_call` with other weights computes what a module with those weights does."""
    module, changed = case.build(training=False), case.build(training=False)
    with torch.no_grad():
        for value in changed.parameters():
            if value.is_floating_point():
                value.mul_(0.5)
        expected = case.call(changed, case.inputs())
        inputs = case.inputs()
        seed_everything(0)
        actual = functional_call(module, dict(changed.named_parameters()), *arguments(inputs))
    if text := difference(actual, expected):
        problem = f"does not follow the weights that it is given: {text}"
        fix = "Read the parameters in `forward`; keep nothing that is computed from them."
        yield finding("functional_call", problem, fix=fix)


@check(after=SOUND)
def vmap(case: Case) -> Findings:
    """`torch.func.vmap` over a further dimension gives what single calls give, in eval mode."""
    module = case.build(training=False)
    batches = [case.inputs(seed=seed) for seed in (0, 1)]
    given = [[tensor for _, tensor in tensors(batch)] for batch in batches]
    if not given[0]:
        raise NotApplicable("no input is a tensor")

    def call(*values: Tensor) -> Any:
        remaining = iter(values)
        return apply(module, convert(batches[0], lambda _: next(remaining)))

    with torch.no_grad():
        expected = [case.call(module, batch) for batch in batches]
        stacked = [torch.stack(pair) for pair in zip(*given, strict=True)]
        try:
            stacked_output = vectorised(call, randomness="different")(*stacked)
        except RuntimeError as error:
            if any(text in str(error) for text in _NO_BATCHING_RULE):
                raise NotApplicable(f"torch has no batching rule: {error}") from None
            raise
    for index, one in enumerate(expected):
        apart = convert(stacked_output, itemgetter(index))
        if text := difference(apart, one, 1e-4):
            yield finding("forward", f"differs under vmap: {text}")
            return
