"""Checks of state: what forward leaves behind, and what a state dict, a copy or a file carries."""

import copy
import io
import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from .case import Case, seed_everything
from .core import BUILT, RUNS, SOUND, STEADY, Findings, check, in_each_mode
from .rules import Finding, NotApplicable, finding
from .tree import (
    attributes,
    convert,
    deep_copied,
    difference,
    disagreement,
    held_outside_registry,
    is_lazy,
    join,
    length,
    package_of,
    parts,
    reachable,
    recomputed,
    state_of,
    submodules,
    tensors,
)
from .watches import creations_watched, place_of

_STATE_METHODS = ("_load_from_state_dict", "_save_to_state_dict", "load_state_dict", "state_dict")
_STATE_HOOKS = ("_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks")


@check(BUILT, "forward", proves=RUNS, repeats=(), of_calls=True)
@in_each_mode
def creation(case: Case, training: bool) -> Findings:
    """`forward` creates no module with state and no parameter."""
    module, inputs = case.build(training=training), case.inputs()
    with creations_watched() as (modules, parameters):
        case.evaluate(module, inputs)
    # The last one of a line is the outermost.
    built = {line: type(made).__name__ for line, made in modules if state_of(made)}
    for line, kind in built.items():
        yield finding(line, f"builds {kind} at each call", "NN106")
    for line, parameter in () if built else parameters:
        yield finding(line, f"creates a parameter of shape {tuple(parameter.shape)}", "NN105")


@check(BUILT, "forward", "creation", proves=RUNS, repeats=())
@in_each_mode
def unchanged_inputs(case: Case, training: bool) -> Findings:
    """`forward` leaves the caller's tensors as they are."""
    module, inputs = case.build(training=training), case.inputs()
    before = [(path, tensor, tensor._version) for path, tensor in tensors(inputs, "inputs")]
    case.evaluate(module, inputs)
    for path, tensor, version in before:
        if tensor._version != version:
            yield finding(path, "forward changes the caller's tensor in place", "NN401")


@check(
    RUNS,
    "devices",
    proves=STEADY,
    repeats=("NN105", "NN106", "NN401"),
    in_forward=True,
    of_calls=True,
)
@in_each_mode
def retained_state(case: Case, training: bool) -> Findings:
    """`forward` replaces nothing that is registered, and keeps no graph on the module."""
    # Where a module is only called, as a trained one is, nothing has a graph.
    learning = True in case.modes
    module = case.build(training=training)
    copied, before = is_copied(module), Registry(module)
    with torch.set_grad_enabled(learning):
        output = case.call(module, case.inputs(gradients=learning))
    found = list(changes(before, Registry(module)))
    yield from found
    if not found and copied and not is_copied(module):
        problem = "forward keeps something on the module that cannot be copied"
        yield finding("forward", problem, "NN202")
    del output


def is_copied(module: nn.Module) -> bool:
    """Whether `deepcopy` takes the module; one with a graph in it is refused."""
    try:
        deep_copied(module)
    except Exception:
        return False
    return True


class Registry:
    """What a module holds at one moment; the objects are kept, so that their identities stay."""

    def __init__(self, module: nn.Module) -> None:
        self.modules = dict(submodules(module))
        self.parameters = dict(module.named_parameters(remove_duplicate=False))
        self.buffers = {
            join(path, name): buffer
            for path, part in submodules(module)
            for name, buffer in part._buffers.items()
        }
        self.graphs = {
            name for name, one in self.buffers.items() if one is not None and one.requires_grad
        }
        self.held = dict(held_outside_registry(module))


def changes(before: Registry, now: Registry) -> Findings:
    """What a forward replaced, added or kept in between."""
    for path in changed(before.modules, now.modules):
        yield finding(path, "forward registers or replaces this module", "NN106")
    for path in changed(before.parameters, now.parameters):
        if path in before.parameters:
            problem = "forward replaces the parameter; the optimizer keeps the old one"
            yield finding(path, problem, "NN204")
        else:
            yield finding(path, "forward registers this parameter", "NN105")
    rebound = changed(before.buffers, now.buffers)
    for path in rebound:
        if path not in before.buffers:
            problem = "forward registers this buffer, so a fresh module cannot load it"
            fix = "Register it in `__init__`, in its shape, and fill it in place."
            yield finding(path, problem, "NN203", fix)
        # One that is registered as None may be filled once.
        elif before.buffers[path] is not None or now.graphs & {path}:
            problem = "forward rebinds the buffer, so its shape and graph may change unseen"
            yield finding(path, problem, "NN203")
    for path in sorted(now.graphs.difference(before.graphs, rebound)):
        yield finding(path, "forward writes a value with its graph into the buffer", "NN202")
    known = set(map(id, before.held.values()))
    for path, value in now.held.items():
        if isinstance(value, nn.Module) and id(value) not in known:
            yield finding(path, "forward keeps a new module here", "NN106")
        elif isinstance(value, Tensor) and value.requires_grad and id(value) not in known:
            yield finding(path, "forward keeps a tensor with its graph here: memory grows", "NN202")


def changed(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """The names that stand for another object than before, or for none."""
    return sorted(name for name in {**before, **now} if before.get(name) is not now.get(name))


@check(SOUND, in_forward=True)
def bounded_memory(case: Case) -> Findings:
    """Fifty forwards leave the module no larger than ten did."""
    module, inputs = case.build(), case.inputs()
    early: dict[str, int] = {}
    for step in range(1, 51):
        case.evaluate(module, inputs)
        if step == 10:
            early = footprints(module)
    for path, size in footprints(module).items():
        if size > early.get(path, 0):
            problem = f"grows with each forward, from {early.get(path, 0)} to {size} values"
            yield finding(path, problem, "NN202")


def footprints(root: nn.Module) -> dict[str, int]:
    """How much each attribute and buffer holds: its values, and its tensors' elements."""
    sizes: dict[str, int] = {}
    for path, attribute, package in attributes(root):
        values = [value for _, value in reachable(path, attribute, package, set())]
        elements = sum(value.numel() for value in values if isinstance(value, Tensor))
        sizes[path] = length(attribute) + len(values) + elements
    for path, buffer in root.named_buffers():
        sizes[path] = buffer.numel()
    return sizes


@check(STEADY, "untracked_state", proves=SOUND, in_forward=True, of_calls=True)
def repetition(case: Case) -> Findings:
    """In eval mode the same call again gives the same output: only training changes state."""
    module = case.build(training=False)
    before = contents(module)
    # Copied, for a module may return what it keeps.
    first = convert(case.evaluate(module), Tensor.clone)
    after = contents(module)
    text = difference(case.evaluate(module), first)
    if not text:
        return
    changed = [
        path
        for path, (value, size) in after.items()
        for known, count in [before.get(path, (None, 0))]
        if known is not value or count != size
    ]
    held = {where.partition("[")[0] for where, _ in held_outside_registry(module)}
    # What it counts or keeps may be out of sight: in an object of another package, or in a global.
    for path in changed or ["forward"]:
        problem = f"forward changes state in eval mode, so a second call differs: {text}"
        fix = "Change it only where `self.training`, or return it instead."
        yield finding(path, problem, "NN206" if path in held else "", fix)


def contents(module: nn.Module) -> dict[str, tuple[object, int]]:
    """What the module holds by path: the object, and what changes with its content."""
    held: list[tuple[str, object]] = [*module.named_buffers()]
    held += [(path, value) for path, value, _ in attributes(module)]
    return {
        path: (value, value._version if isinstance(value, Tensor) else length(value))
        for path, value in held
    }


@check(BUILT, calls_forward=False, repeats=())
def nested_state_dict(case: Case) -> Findings:
    """As a child of another module it has the same state dict, under a prefix, and loads it."""
    module = case.build()
    for path, part in submodules(module):
        own = [getattr(type(part), name) is not getattr(nn.Module, name) for name in _STATE_METHODS]
        hooks = [vars(part).get(name) for name in _STATE_HOOKS]
        if any((*own, *hooks)) and package_of(part) != "torch":
            yield from below_a_parent(path, part)


def below_a_parent(path: str, module: nn.Module) -> Findings:
    """What is another state dict, or fails to load, where the module is not the root."""
    expected = {f"0.{key}" for key in module.state_dict()}
    parent = nn.Sequential(module)
    inside = f"where `{type(module).__name__}` is a child"
    try:
        state = parent.state_dict()
        wrong = sorted(expected ^ state.keys(), key=lambda key: (key in expected, key))
        if not wrong:
            parent.load_state_dict(copy.deepcopy(state), strict=True)
    except Exception as error:
        text = " ".join(str(error).split()).rstrip(".")
        problem = f"the state dict fails {inside}: {type(error).__name__}: {text}"
        yield finding(place_of(error) or join(path, type(module).__name__), problem, "NN209")
        return
    if wrong:
        said = "is missing from" if wrong[0] in expected else "is in"
        name = join(path, wrong[0].removeprefix("0."))
        yield finding(name, f"{said} the state dict only {inside}", "NN209")


@check(BUILT, "nested_state_dict", proves=SOUND, calls_forward=False, repeats=("NN209",))
def state_dict(case: Case) -> Findings:
    """A state dict loads, strictly, into a fresh module and makes it equal."""
    source, target = case.build(), case.build()
    with torch.no_grad():
        for _, tensor in tensors(target.state_dict()):
            if tensor.is_floating_point():
                tensor.add_(1.0)
    target.load_state_dict(copy.deepcopy(source.state_dict()), strict=True)
    yield from other_state(target.state_dict(), source.state_dict(), "after loading")


def other_state(actual: Mapping[str, Any], expected: Mapping[str, Any], where: str) -> Findings:
    """A difference between two state dicts."""
    problem = f"is different {where}"
    yield from disagreement("state_dict()", problem, dict(actual), dict(expected))


@check(SOUND)
def loaded_output(case: Case) -> Findings:
    """A fresh module with a loaded state dict computes what the saved one did."""
    source = case.build(training=False)
    # Another seed: what is random in the constructor and not in the state dict differs.
    seed_everything(1)
    target = case.contract.build()
    expected = case.evaluate(source)
    target.eval()
    if is_lazy(target):
        case.evaluate(target)
    target.load_state_dict(source.state_dict())
    problem = "something outside the state dict decides the output"
    fix = "Register it as a persistent buffer, or make it a constructor's argument."
    yield from disagreement("state_dict()", problem, case.evaluate(target), expected, fix=fix)


@check(BUILT, calls_forward=False, repeats=())
def pickling(case: Case) -> Findings:
    """The whole module can be pickled, as worker processes and `torch.save` need."""
    module = case.build()
    if any(parametrize.is_parametrized(part) for part in module.modules()):
        raise NotApplicable("torch pickles no parametrised module, only its state dict")
    try:
        copied = pickle.loads(pickle.dumps(module))
    except Exception as error:
        yield from unpicklable(module, f"cannot be pickled: {error}")
        return
    yield from other_state(copied.state_dict(), module.state_dict(), "after pickling")


def unpicklable(module: nn.Module, problem: str) -> list[Finding]:
    """The attributes that stand in the way, or the problem as a whole."""
    return [
        finding(where, text, "NN501")
        for path, part in submodules(module)
        for name, value in vars(part).items()
        if name not in ("_modules", "_parameters", "_buffers")
        for where, text in refused(join(path, name), value, package_of(part))
    ] or [finding(type(module).__name__, problem)]


def refused(path: str, value: object, package: str) -> list[tuple[str, str]]:
    """The innermost values that pickle refuses."""
    try:
        pickle.dumps(value)
    except Exception as error:
        inner = [
            culprit
            for where, part in parts(path, value, package)
            for culprit in refused(where, part, package)
        ]
        return inner or [(path, f"cannot be pickled: {error}")]
    return []


@check(BUILT, "pickling", calls_forward=False)
def deep_copy(case: Case) -> Findings:
    """A deep copy is equal and shares no storage with the original."""
    module = case.build()
    for path, part in submodules(module):
        for name in recomputed(part):
            if vars(part)[name].grad_fn is not None:
                problem = "has a graph from its hook on, and torch copies no module with one"
                fix = "Use `torch.nn.utils.parametrizations`, or prune it later."
                yield finding(join(path, name), problem, fix=fix)
                return
    state, copied = module.state_dict(), copy.deepcopy(module).state_dict()
    yield from other_state(copied, state, "in the copy")
    storage = {value.data_ptr() for _, value in tensors(state)}
    for name, value in copied.items():
        if isinstance(value, Tensor) and value.numel() and value.data_ptr() in storage:
            yield finding(name, "the copy shares its memory with the original")


def replacements(case: Case) -> Iterator[tuple[str, Callable[[], nn.Module]]]:
    """The ways in which all of a module's tensors become other ones."""

    def loaded(**options: bool) -> nn.Module:
        target = case.build()
        target.load_state_dict(copy.deepcopy(case.build().state_dict()), **options)
        return target

    yield "`to_empty()` from the meta device", lambda: case.from_meta()[0]
    yield "`copy.deepcopy`", lambda: copy.deepcopy(case.build())
    yield "pickling", lambda: pickle.loads(pickle.dumps(case.build()))
    yield "`load_state_dict()`", loaded
    yield "`load_state_dict(assign=True)`", lambda: loaded(assign=True)


@check(BUILT, calls_forward=False, repeats=())
def ties(case: Case) -> Findings:
    """Parameters that are one object stay one, whatever replaces or copies them."""
    tied = dict(tied_parameters(case.build()))
    lost: dict[str, list[str]] = {name: [] for name in tied}
    for way, replaced in replacements(case) if tied else ():
        try:
            kept = dict(tied_parameters(replaced()))
        except Exception:
            # It cannot be done at all, which is another check's business.
            continue
        for name, (_, same) in tied.items():
            # Of one memory alone, each is a parameter of its own: to an optimizer, to `deepcopy`.
            if name not in kept or (same and not kept[name][1]):
                lost[name].append(way)
    for name, ways in lost.items():
        if ways:
            shared = "the same parameter as" if tied[name][1] else "of one memory with"
            problem = f"is {shared} {tied[name][0]}, and no longer after {', '.join(ways)}"
            yield finding(name, problem, "NN208")


def tied_parameters(module: nn.Module) -> Iterator[tuple[str, tuple[str, bool]]]:
    """The names of parameters whose memory an earlier name has too: which, and if they are one."""
    first: dict[tuple[int, int], tuple[str, nn.Parameter]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        one = id(parameter) if parameter.is_meta else parameter.data_ptr()
        earlier, other = first.setdefault((one, parameter.numel()), (name, parameter))
        if parameter.numel() and earlier != name:
            yield name, (earlier, other is parameter)


@check(BUILT, calls_forward=False)
def safe_file(case: Case) -> Findings:
    """The state dict goes through a file that loads with `weights_only=True`."""
    state = case.build().state_dict()
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    try:
        loaded = torch.load(file, weights_only=True)
    except pickle.UnpicklingError as error:
        text = str(error).strip().splitlines()[0]
        fix = "Keep tensors and plain values only in the state dict."
        yield finding("state_dict()", f"does not load: {text}", fix=fix)
        return
    yield from other_state(loaded, state, "after loading")
