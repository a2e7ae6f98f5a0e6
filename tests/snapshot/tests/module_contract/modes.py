"""Checks of training and eval mode."""

import torch

from .case import Case
from .checks import BUILT, RUNS, SOUND, Findings, check
from .findings import finding
from .structure import difference
from .walk import submodules
from .watches import RandomnessWatch


@check(after=(*RUNS, "devices"))
def eval_determinism(case: Case) -> Findings:
    """In eval mode the same input gives the same output, whatever the random state."""
    # Two modules, so that one which keeps state between calls is not taken for a random one.
    modules = case.build(training=False), case.build(training=False)
    inputs = case.inputs(), case.inputs()
    with torch.no_grad(), RandomnessWatch() as watch:
        first = case.call(modules[0], inputs[0], seed=0)
        second = case.call(modules[1], inputs[1], seed=1)
    if not difference(second, first):
        return
    for place, name in watch.drawn.items():
        yield finding("eval_determinism", place, f"`{name}` is random in eval mode too", "NN402")
    if not watch.drawn:
        # Python's or numpy's numbers, which no watch of torch sees.
        yield finding("eval_determinism", "forward", "is random in eval mode too", "NN402")


@check(after=BUILT, calls_forward=False)
def mode_switch(case: Case) -> Findings:
    """`train()` and `eval()` reach every child."""
    module = case.build()
    for training in (False, True):
        name = "train()" if training else "eval()"
        module.train() if training else module.eval()
        for path, part in submodules(module):
            if part.training is not training:
                problem = f"`{name}` does not reach it"
                advice = "Call `super().train(mode)` in an override of `train`."
                yield finding("mode_switch", path or type(part).__name__, problem, advice=advice)


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
        problem = f"does more than set `training`: {text}"
        advice = "Decide by `self.training` in `forward`."
        yield finding("mode_difference", "train()", problem, advice=advice)
