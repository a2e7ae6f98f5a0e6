"""Checks of what `forward` leaves behind: nothing built, kept, replaced or changed."""

import copy

import torch
from torch import Tensor, nn

from .case import Case
from .checks import BUILT, SOUND, Findings, check
from .findings import Finding, finding
from .structure import tensors
from .walk import footprints, held_outside_registry, submodules
from .watches import creations_watched


@check(after=(*BUILT, "forward"))
def creation(case: Case) -> Findings:
    """`forward` creates no module with state and no parameter."""
    modules: dict[str, str] = {}
    parameters: dict[str, str] = {}
    for training in (True, False):
        module = case.build(training=training)
        inputs = case.inputs()
        with creations_watched() as created, torch.no_grad():
            case.call(module, inputs)
        for place, made in created.modules:
            if any(True for _ in (*made.parameters(), *made.buffers())):
                modules[place] = f"builds {type(made).__name__} at each call"
        for place, parameter in created.parameters:
            parameters[place] = f"creates a parameter of shape {tuple(parameter.shape)}"
    for place, problem in modules.items():
        yield finding("creation", place, problem, "NN106")
    if not modules:
        for place, problem in parameters.items():
            yield finding("creation", place, problem, "NN105")


@check(after=(*BUILT, "forward", "creation"))
def unchanged_inputs(case: Case) -> Findings:
    """`forward` leaves the caller's tensors as they are."""
    changed: dict[str, Finding] = {}
    for training in (True, False):
        module = case.build(training=training)
        inputs = case.inputs()
        before = [(path, tensor, tensor._version) for path, tensor in tensors(inputs, "inputs")]
        with torch.no_grad():
            case.call(module, inputs)
        for path, tensor, version in before:
            if tensor._version != version:
                problem = "forward changes the caller's tensor in place"
                changed[path] = finding("unchanged_inputs", path, problem, "NN401")
    yield from changed.values()


@check(after=(*BUILT, "forward", "creation", "unchanged_inputs", "devices"))
def retained_state(case: Case) -> Findings:
    """`forward` replaces nothing that is registered, and keeps no graph on the module."""
    found: dict[str, Finding] = {}
    for training in (True, False):
        module = case.build(training=training)
        copied = is_copied(module)
        before = Registered(module)
        inputs = case.inputs(gradients=True)
        output = case.call(module, inputs)
        for one in before.changes(module):
            found.setdefault(one.path, one)
        if not found and copied and not is_copied(module):
            problem = "forward keeps something on the module that cannot be copied"
            found["forward"] = finding("retained_state", "forward", problem, "NN202")
        del output
    yield from found.values()


def is_copied(module: nn.Module) -> bool:
    """Whether `deepcopy` takes the module; one with a graph in it is refused."""
    try:
        copy.deepcopy(module)
    except Exception:
        return False
    return True


class Registered:
    """What a module held at one moment, to be compared with what it holds later."""

    def __init__(self, module: nn.Module) -> None:
        """Note it; the objects are kept, so that their identities stay theirs."""
        self.modules = dict(submodules(module))
        self.parameters = dict(module.named_parameters(remove_duplicate=False))
        self.buffers = dict(module.named_buffers(remove_duplicate=False))
        self.graphs = {name for name, buffer in self.buffers.items() if buffer.requires_grad}
        self.held = {id(held.value): held.value for held in held_outside_registry(module)}

    def changes(self, module: nn.Module) -> list[Finding]:
        """What a forward replaced, added or kept since then."""
        return [
            *self.changed_modules(module),
            *self.changed_parameters(module),
            *self.changed_buffers(module),
            *self.kept(module),
        ]

    def changed_modules(self, module: nn.Module) -> list[Finding]:
        """Submodules that came, went or were replaced."""
        now = dict(submodules(module))
        return [
            finding("retained_state", path, "forward registers or replaces this module", "NN106")
            for path in sorted({*now, *self.modules})
            if now.get(path) is not self.modules.get(path)
        ]

    def changed_parameters(self, module: nn.Module) -> list[Finding]:
        """Parameters that came, went or were replaced."""
        now = dict(module.named_parameters(remove_duplicate=False))
        found = []
        for path in sorted({*now, *self.parameters}):
            if path not in self.parameters:
                problem = "forward registers this parameter"
                found.append(finding("retained_state", path, problem, "NN105"))
            elif now.get(path) is not self.parameters[path]:
                problem = "forward replaces the parameter; the optimizer keeps the old one"
                found.append(finding("retained_state", path, problem, "NN204"))
        return found

    def changed_buffers(self, module: nn.Module) -> list[Finding]:
        """Buffers that came, went, were replaced or joined the graph."""
        now = dict(module.named_buffers(remove_duplicate=False))
        found = []
        for path in sorted({*now, *self.buffers}):
            if now.get(path) is not self.buffers.get(path):
                problem = "forward rebinds the buffer, so its shape and graph may change unseen"
                found.append(finding("retained_state", path, problem, "NN203"))
            elif now[path].requires_grad and path not in self.graphs:
                problem = "forward writes a value with its graph into the buffer"
                found.append(finding("retained_state", path, problem, "NN202"))
        return found

    def kept(self, module: nn.Module) -> list[Finding]:
        """Modules, parameters and graphs that plain attributes hold and did not hold before."""
        found = []
        for held in held_outside_registry(module):
            if id(held.value) in self.held:
                continue
            if isinstance(held.value, nn.Module):
                problem = "forward keeps a new module here"
                found.append(finding("retained_state", held.path, problem, "NN106"))
            elif isinstance(held.value, Tensor) and held.value.requires_grad:
                problem = "forward keeps a tensor with its graph here: memory grows"
                found.append(finding("retained_state", held.path, problem, "NN202"))
        return found


@check(after=SOUND)
def bounded_memory(case: Case) -> Findings:
    """Fifty forwards leave the module no larger than ten did."""
    module = case.build()
    inputs = case.inputs()
    early: dict[str, int] = {}
    with torch.no_grad():
        for step in range(1, 51):
            case.call(module, inputs)
            if step == 10:
                early = footprints(module)
    for path, size in footprints(module).items():
        if size > early.get(path, 0):
            problem = f"grows with each forward, from {early.get(path, 0)} to {size} values"
            yield finding("bounded_memory", path, problem, "NN202")
