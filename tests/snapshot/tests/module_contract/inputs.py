"""Checks of inputs: batches of any size, strided memory, and shapes that are wrong."""

import torch
from torch import Tensor, nn

from .case import Case
from .checks import SOUND, Findings, check, unexpected
from .findings import NotApplicable, finding
from .structure import convert, difference, is_shape, shapes, tensors
from .watches import DeviceWatch

_CLEAR = (ValueError, RuntimeError, TypeError, IndexError, AssertionError)


@check(after=SOUND)
def single_sample(case: Case) -> Findings:
    """A batch of one keeps its batch dimension."""
    yield from alone(case, training=False)


@check(after=(*SOUND, "single_sample"))
def single_sample_training(case: Case) -> Findings:
    """A batch of one works in training mode too."""
    yield from alone(case, training=True)


def alone(case: Case, *, training: bool) -> Findings:
    """What is wrong with the output for a single sample."""
    name = "single_sample_training" if training else "single_sample"
    module = case.build(training=training)
    expected = case.output_shape(1)
    with DeviceWatch() as watch, torch.no_grad():
        try:
            actual = shapes(case.call(module, case.inputs(1)))
        except Exception as error:
            if "Expected more than 1 value per channel" in str(error):
                raise NotApplicable("batch statistics need more than one value") from None
            one = unexpected(name, error, "for a batch of 1 raises ")
            problem, where = one.problem, one.path
        else:
            if actual == expected:
                return
            if training and not (is_shape(actual) and is_shape(expected)):
                return
            problem, where = f"returns shape {actual} for a batch of 1, not {expected}", "forward"
    culprits = [place for place, shape in watch.squeezed.items() if 1 in shape]
    for place in culprits:
        yield finding(name, place, f"`squeeze()` names no dimension: {problem}", "NN405")
    if not culprits:
        yield finding(name, where, problem, advice="Keep the batch dimension whatever its size.")


@check(after=(*SOUND, "single_sample"))
def empty_batch(case: Case) -> Findings:
    """A batch of none gives an output with none."""
    case.require_batch()
    module = case.build(training=False)
    try:
        with torch.no_grad():
            output = case.call(module, case.inputs(0))
    except Exception as error:
        one = unexpected("empty_batch", error, "for a batch of 0 raises ")
        advice = "Return an empty result for an empty batch, or opt out with the reason."
        yield finding("empty_batch", one.path, one.problem.rstrip("."), advice=advice)
        return
    actual, expected = shapes(output), case.output_shape(0)
    if actual != expected:
        problem = f"returns shape {actual} for a batch of 0, not {expected}"
        yield finding("empty_batch", "forward", problem)


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
            apart = flat(case.call(module, sample(inputs, axes, index)))
            expected = flat(sample(together, output_axes, index))
            # What has no batch dimension, such as a mean loss, is of the whole batch by nature.
            if text := difference(
                [apart[position] for position in batched],
                [expected[position] for position in batched],
                1e-4,
            ):
                problem = f"sample {index} computed alone: {text}"
                advice = "Do not mix samples in eval mode."
                yield finding("batch_invariance", "forward", problem, advice=advice)
                return


def flat(tree: object) -> list[Tensor]:
    """The tensors in an output, in order."""
    return [tensor for _, tensor in tensors(tree)]


def sample(tree: object, axes: list[int | None], index: int) -> tuple[object, ...]:
    """The tensors of one sample, the batch dimension kept."""
    remaining = iter(axes)

    def narrow(tensor: Tensor) -> Tensor:
        axis = next(remaining)
        return tensor if axis is None else tensor.narrow(axis, index, 1)

    return convert(tree, narrow)


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
            actual = case.call(module, tuple(convert(value, strided) for value in inputs))
    except RuntimeError as error:
        one = unexpected("strided_inputs", error)
        advice = "Use `.reshape()` where `.view()` needs contiguous memory."
        yield finding("strided_inputs", one.path, one.problem, advice=advice)
        return
    if text := difference(actual, expected, 1e-5):
        yield finding("strided_inputs", "forward", f"another output for strided inputs: {text}")


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
    for position, value in enumerate(inputs):
        if not isinstance(value, Tensor) or not value.dim() or not value.is_floating_point():
            continue
        wider = torch.cat([value, value[..., :1]], dim=-1)
        for wrong in (wider, value.flatten()[0]):
            given = (*inputs[:position], wrong, *inputs[position + 1 :])
            if unclear := unclear_error(module, given):
                shape = tuple(wrong.shape)
                problem = f"shape {shape} instead of {tuple(value.shape)} gives {unclear}"
                advice = "Raise a `ValueError` that states the expected shape."
                yield finding("wrong_shape", f"inputs[{position}]", problem, advice=advice)
                return


def unclear_error(module: nn.Module, inputs: tuple[object, ...]) -> str:
    """What an error fails to say; nothing if there is none or it is clear."""
    try:
        with torch.no_grad():
            module(*inputs)
    except Exception as error:
        if not str(error).strip():
            return f"{type(error).__name__} without a message"
        if not isinstance(error, _CLEAR):
            return f"{type(error).__name__}: {error}"
    return ""
