"""Whether a model keeps the rules of the contract that every export needs."""

import contextlib
import copy
import inspect
from collections import deque
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ...console import silence
from ..noise import quiet
from .reasons import failure, refusal
from .registry import plain_attributes, unregistered
from .rules import Breach
from .source import assignment, change, definition, line_of, place
from .tracing import without_values
from .watches import CallWatch, creations_watched, lines_that_change, random_states

DEVICE = "cpu"
"""Where a model is when it is exported."""


def refuse_broken_contracts(model: nn.Module, example: Tensor) -> None:
    """Refuse a model that breaks one; what runs is a copy of it.

    An artefact can hold nothing but what the model registers, computes the same each time and runs
    where no device has the name of one of ours. A breach of that is found here, in the model's own
    terms, whatever the target would make of it: some would write an artefact that is wrong.

    Args:
        model: in evaluation mode, on the CPU
        example: a batch of at least two inputs

    Raises:
        InputError: says which rule is broken, and where
    """
    for look in (_state, _devices_of_state, _signature):
        _refuse(model, look(model, example))
    try:
        subject = copy.deepcopy(model)
    except Exception as error:
        problem = f"the model cannot be copied: {error}"
        found = Breach("NN501", definition(type(model)), problem)
        raise refusal(model, [found]) from error
    # What the model prints and warns of is not said once for each of these runs.
    with torch.no_grad(), quiet(), silence():
        for run in (_forward, _repetition, _batches, _meta_device):
            _refuse(model, run(subject, example))


def _refuse(model: nn.Module, found: Iterator[Breach]) -> None:
    if breaches := list(found):
        raise refusal(model, breaches)


def _state(model: nn.Module, example: Tensor) -> Iterator[Breach]:
    yield from unregistered(model)


def _devices_of_state(model: nn.Module, example: Tensor) -> Iterator[Breach]:
    """What `__init__` put on a device of its own choice; the model was built on the CPU."""
    for path, module in model.named_modules():
        own = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
        for name, tensor in own:
            if tensor.device.type != DEVICE:
                whole = f"{path}.{name}" if path else name
                problem = (
                    f"`{whole}` is on {tensor.device}, although the model was built on the CPU"
                )
                mend = "Take the device as an argument: `device=device`."
                yield Breach("NN301", assignment(module, name), problem, mend)


def _signature(model: nn.Module, example: Tensor) -> Iterator[Breach]:
    signature = inspect.signature(model.forward)
    try:
        signature.bind(example)
    except TypeError:
        yield Breach(
            "",
            definition(type(model).forward),
            f"forward{signature} does not take a batch of inputs alone",
            "Give what else it takes a default, and let the batch come by position.",
        )


def _forward(model: nn.Module, example: Tensor) -> Iterator[Breach]:
    """What a forward on the CPU names and builds, and what it returns."""
    output: object = None
    with creations_watched() as created, CallWatch(DEVICE) as watch:
        try:
            output = model(example.clone())
        except Exception as error:
            failed = _failed(error, len(example))
            # A device that is not there is why it failed, whatever the error says.
            yield from watch.devices.values() or [failed]
            return
    yield from watch.devices.values() or created
    if not isinstance(output, Tensor):
        kind = type(output).__name__
        problem = f"forward returns a {kind}, where whatever runs an artefact expects one tensor"
        yield Breach("", definition(type(model).forward), problem)
    elif output.ndim != 2:
        problem = f"forward returns a tensor of shape {tuple(output.shape)}"
        mend = "Return a row of logits for each input."
        yield Breach("", definition(type(model).forward), problem, mend)


def _batches(model: nn.Module, example: Tensor) -> Iterator[Breach]:
    """Whether the first dimension of input and output is the batch's, of any size."""
    for size in (1, 3):
        with CallWatch(DEVICE) as watch:
            try:
                output = model(example[:1].repeat(size, *(1 for _ in example.shape[1:])))
            except Exception as error:
                yield _failed(error, size)
                return
        if output.shape[:1] == (size,):
            continue
        problem = f"a batch of {size} gives an output of shape {tuple(output.shape)}"
        if watch.squeezes:
            yield Breach("NN405", watch.squeezes[0], problem)
        else:
            mend = "Let its first dimension be the batch's."
            yield Breach("", definition(type(model).forward), problem, mend)
        return


def _failed(error: Exception, size: int) -> Breach:
    where = line_of(error)
    problem = f"forward fails on a batch of {size}: {failure(error)}"
    return Breach("", place(*where) if where else "", problem)


def _meta_device(model: nn.Module, example: Tensor) -> Iterator[Breach]:
    """Which lines name the CPU: on another device, that is another one."""
    # Moved before the fake mode starts: inside it, `.to("meta")` fails on good models too.
    own = (*model.named_parameters(), *model.named_buffers())
    state = {name: tensor.to("meta") for name, tensor in own}
    batch = example.to("meta")
    watch = CallWatch("meta")
    # A model that asks for a value gets no further, and is not thereby wrong. What was named until
    # then is known.
    with contextlib.suppress(Exception), without_values(), watch:
        functional_call(model, state, (batch,))
    yield from watch.devices.values()


def _repetition(model: nn.Module, example: Tensor) -> Iterator[Breach]:
    """Whether the same input gives the same output again, and draws nothing."""
    drawn, before = random_states(), _kept(model)
    # Each call has a batch of its own: a model may write into what it is given, or return it.
    first = model(example.clone())
    if random_states() != drawn:
        with lines_that_change(random_states) as lines:
            model(example.clone())
        for where in dict.fromkeys(place(*line) for line, _ in lines):
            yield Breach("NN402", where, "forward draws a random number in evaluation mode too")
        return
    after = _kept(model)
    if _equal(first, model(example.clone())):
        return
    problem = "the same input gives another output at the next call"
    mend = "Return it instead, or change it only where `self.training`."
    changed = {key: now for key, now in after.items() if now != before.get(key)}
    if not changed:
        # What it counts or keeps is out of sight: in an object of its own, or in a global.
        mend = "Keep nothing from call to call, or only where `self.training`."
        yield Breach("", definition(type(model).forward), problem, mend)
    for (path, name), now in changed.items():
        module = model.get_submodule(path)
        where = change(module, name)
        if name in dict(module.named_buffers(recurse=False)) and now[0] != before[path, name][0]:
            yield Breach("NN203", where, f"forward rebinds the buffer `{name}`, so {problem}")
        else:
            told = f"forward changes `{name}` in evaluation mode, so {problem}"
            yield Breach("", where, told, mend)


def _equal(first: Tensor, again: Tensor) -> bool:
    same_kind = (first.shape, first.dtype) == (again.shape, again.dtype)
    return same_kind and torch.allclose(first, again, equal_nan=True)


def _kept(model: nn.Module) -> dict[tuple[str, str], tuple[int, int]]:
    """What the model holds, by path of the module and name: which object, and its content."""
    kept: dict[tuple[str, str], tuple[int, int]] = {}
    for path, module in model.named_modules():
        for name, buffer in module.named_buffers(recurse=False):
            kept[path, name] = (id(buffer), buffer._version)
        for name, value in plain_attributes(module):
            kept[path, name] = (id(value), _content(value))
    return kept


def _content(value: object) -> int:
    """What changes with the content of an object that stays the same."""
    if isinstance(value, Tensor):
        return value._version
    return len(value) if isinstance(value, list | dict | set | deque) else 0
