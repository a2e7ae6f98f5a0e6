"""Checks of functional use: other weights, batches of batches, recomputed activations."""

from operator import itemgetter
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call
from torch.func import vmap as vectorised
from torch.utils.checkpoint import checkpoint

from .case import Case
from .checks import SOUND, Findings, check
from .findings import NotApplicable, finding
from .gradients import backpropagate
from .isolation import seed_everything
from .structure import convert, difference, tensors

_NO_RULE = ("Batching rule not implemented", "do not yet support")


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
        actual = functional_call(module, dict(changed.named_parameters()), inputs)
    if text := difference(actual, expected):
        problem = f"does not follow the weights that it is given: {text}"
        advice = "Read the parameters in `forward`; keep nothing that is computed from them."
        yield finding("functional", "functional_call", problem, advice=advice)


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
        return module(*(convert(value, lambda _: next(remaining)) for value in batches[0]))

    with torch.no_grad():
        expected = [case.call(module, batch) for batch in batches]
        stacked = [torch.stack(pair) for pair in zip(*given, strict=True)]
        try:
            together = vectorised(call, randomness="different")(*stacked)
        except RuntimeError as error:
            if any(text in str(error) for text in _NO_RULE):
                raise NotApplicable(f"torch has no batching rule: {error}") from None
            raise
    for index, one in enumerate(expected):
        apart = convert(together, itemgetter(index))
        if text := difference(apart, one, 1e-4):
            yield finding("vmap", "forward", f"differs under vmap: {text}")
            return


@check(after=SOUND)
def activation_checkpointing(case: Case) -> Findings:
    """Recomputed in the backward pass, the output is the same and buffers count once."""
    plain, recomputed = case.build(), case.build()
    expected = case.call(plain, case.inputs(gradients=True))
    backpropagate(expected)
    inputs = case.inputs(gradients=True)
    seed_everything(0)
    actual = checkpoint(recomputed, *inputs, use_reentrant=False)
    backpropagate(actual)
    if text := difference(actual, expected):
        yield finding("activation_checkpointing", "forward", f"another output: {text}")
    twice = False
    for name, buffer in recomputed.named_buffers():
        if not (text := difference(buffer, plain.get_buffer(name))):
            continue
        twice = True
        owner = recomputed.get_submodule(name.rpartition(".")[0])
        # Torch's own batch norms count twice: a known limit of theirs, not of their user.
        if not type(owner).__module__.startswith("torch.nn."):
            problem = f"is updated again when the forward is recomputed: {text}"
            advice = "Update buffers last in `forward`: recomputation stops before that."
            yield finding("activation_checkpointing", name, problem, advice=advice)
    if twice:
        return
    theirs = dict(plain.named_parameters())
    for name, parameter in recomputed.named_parameters():
        if text := difference([parameter.grad], [theirs[name].grad]):
            problem = f"its gradient changes when the forward is recomputed: {text}"
            yield finding("activation_checkpointing", name, problem)
