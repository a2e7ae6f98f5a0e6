"""The check of devices, without one: a module on the meta device must stay there."""

import torch
from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)
from torch.func import functional_call
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode, ShapeEnv

from .case import Case
from .checks import RUNS, Findings, check
from .findings import Finding, NotApplicable, finding
from .structure import convert, tensors
from .watches import DeviceWatch

# Fake tensors have no values: a module that asks for one is not thereby wrong.
INCONCLUSIVE = (
    DataDependentOutputException,
    DynamicOutputShapeException,
    GuardOnDataDependentSymNode,
    NotImplementedError,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)


@check(after=RUNS)
def host_fetches(case: Case) -> Findings:
    """`forward` fetches no value to the host, which a GPU would have to wait for."""
    found: dict[str, Finding] = {}
    for training in (True, False):
        for one in watched_forward(case, training).host_fetches("host_fetches"):
            found.setdefault(one.path, one)
    yield from found.values()


@check(after=(*RUNS, "host_fetches"))
def devices(case: Case) -> Findings:
    """`forward` computes on its inputs' device and names no other."""
    found: dict[str, Finding] = {}
    undecided = ""
    for training in (True, False):
        for one in watched_forward(case, training).literals("devices"):
            found.setdefault(one.path, one)
        try:
            for one in misplaced(case, case.build(training=training)):
                found.setdefault(one.path, one)
        except NotApplicable as reason:
            undecided = str(reason)
    if undecided and not found:
        raise NotApplicable(undecided)
    yield from found.values()


def watched_forward(case: Case, training: bool) -> DeviceWatch:
    """What an ordinary forward names and fetches, line by line."""
    module, inputs = case.build(training=training), case.inputs()
    with DeviceWatch() as watch, torch.no_grad():
        case.call(module, inputs)
    return watch


def misplaced(case: Case, module: nn.Module) -> list[Finding]:
    """What keeps a module whose state and inputs are on another device from running there."""
    # Moved before the fake mode starts: inside it, `.to("meta")` fails on good modules too.
    state = {
        name: tensor.to("meta")
        for name, tensor in (*module.named_parameters(), *module.named_buffers())
    }
    inputs = tuple(convert(value, lambda tensor: tensor.to("meta")) for value in case.inputs())
    moved = {id(parameter): state[name] for name, parameter in module.named_parameters()}
    watch = DeviceWatch("meta", moved)
    fake = FakeTensorMode(allow_non_fake_inputs=True, shape_env=ShapeEnv())
    try:
        with torch.no_grad(), fake, watch:
            output = functional_call(module, state, inputs)
        stray = [path for path, tensor in tensors(output, "output") if tensor.device.type != "meta"]
        problem = f"{stray[0]} is left on another device" if stray else watch.split
    except INCONCLUSIVE as error:
        raise NotApplicable(f"depends on values ({type(error).__name__})") from None
    except Exception as error:
        problem = " ".join(str(error).split())
        if "device" not in problem or "autocast" in problem:
            raise NotApplicable(f"inconclusive without a device: {problem}") from None
    return list(culprits(watch, problem)) if problem else []


def culprits(watch: DeviceWatch, problem: str) -> Findings:
    """The lines behind a tensor on the wrong device, the most certain kind of them first."""
    named = [*watch.literals("devices"), *watch.host_fetches("devices")]
    yield from named
    for place, text in watch.created.items():
        yield finding("devices", place, text, "NN302")
    if named or watch.created:
        return
    for place, text in watch.foreign.items():
        yield finding("devices", place, text, "NN201")
        return
    yield finding("devices", "forward", f"does not stay on the inputs' device: {problem}")
