"""Checks of what instances and copies share: defaults, ties, and a state dict below a parent."""

import contextlib
import copy
import inspect
import pickle
from collections.abc import Callable, Iterator

from torch import Tensor, nn

from .core import BUILT, Case, Findings, Instance, check
from .findings import NotApplicable, finding
from .tree import held_outside_registry, join, package_of, reachable, state_of, submodules
from .watches import place_of


@check(after=("construction",), calls_forward=False)
def shared_defaults(case: Case) -> Findings:
    """No instance shares a module or a tensor with another through a default or its class."""
    if isinstance(case.contract, Instance):
        raise NotApplicable("there is one instance only")
    module, other = case.raw_build(), case.raw_build()
    first, second = stateful(module), stateful(other)
    origins = dict(of_classes(module))
    common = origins.keys() & set(map(id, first.values())) & set(map(id, second.values()))
    reported: tuple[str, ...] = ()
    for path, value in first.items():
        if id(value) in common and not path.startswith(reported):
            reported += (f"{path}.",)
            problem = f"every instance shares this {type(value).__name__}: {origins[id(value)]}"
            yield finding(path, problem, "NN111")
    # What `forward` reads from the class itself.
    for origin in dict.fromkeys(origins.values()) if not reported else ():
        if origin.startswith("a class attribute"):
            name = origin.split("`")[1]
            yield finding(name, f"is {origin}, which every instance shares", "NN111")


def stateful(root: nn.Module) -> dict[str, nn.Module | Tensor]:
    """Everything of a module that has a value of its own: itself last, what is outermost first."""
    modules = {path: part for path, part in submodules(root) if path and state_of(part)}
    state = dict(root.named_parameters(remove_duplicate=False))
    return {**modules, **state, **dict(root.named_buffers()), **dict(held_outside_registry(root))}


def inside(value: object) -> list[int]:
    """The identities of a tensor, or of a module with state and of all that it consists of."""
    if isinstance(value, nn.Module):
        return [id(value), *map(id, stateful(value).values())] if state_of(value) else []
    return [id(value)] if isinstance(value, Tensor) and value.dim() else []


def of_classes(root: nn.Module) -> Iterator[tuple[int, str]]:
    """The identities of what classes and default arguments hold, and where that is."""
    for kind in dict.fromkeys(kind for _, part in submodules(root) for kind in type(part).__mro__):
        if kind.__module__.partition(".")[0] in ("torch", "builtins"):
            continue
        places: dict[str, object] = {
            f"a class attribute `{kind.__name__}.{name}`": value
            for name, value in vars(kind).items()
        }
        with contextlib.suppress(TypeError, ValueError, KeyError):  # it has no signature of its own
            arguments = inspect.signature(inspect.unwrap(vars(kind)["__init__"])).parameters
            places |= {f"the default of `{name}`": one.default for name, one in arguments.items()}
        for place, value in places.items():
            for _, part in reachable("", value, "", set()):
                yield from ((key, place) for key in inside(part))


def replacements(case: Case) -> Iterator[tuple[str, Callable[[], nn.Module]]]:
    """The ways in which all of a module's tensors become other ones."""

    def loaded() -> nn.Module:
        target = case.build()
        target.load_state_dict(copy.deepcopy(case.build().state_dict()))
        return target

    yield "`to_empty()` from the meta device", lambda: case.from_meta()[0]
    yield "`copy.deepcopy`", lambda: copy.deepcopy(case.build())
    yield "pickling", lambda: pickle.loads(pickle.dumps(case.build()))
    yield "`load_state_dict()`", loaded


@check(after=BUILT, calls_forward=False)
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
        for name in tied:
            if name not in kept:
                lost[name].append(way)
    for name, ways in lost.items():
        if ways:
            problem = f"shares its values with {tied[name]}, and no longer after {', '.join(ways)}"
            yield finding(name, problem, "NN208")


def tied_parameters(module: nn.Module) -> Iterator[tuple[str, str]]:
    """The names of parameters whose memory, if not they themselves, an earlier name has too."""
    first: dict[tuple[int, int], str] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        one = id(parameter) if parameter.is_meta else parameter.data_ptr()
        key = (one, parameter.numel())
        if parameter.numel() and key in first:
            yield name, first[key]
        first.setdefault(key, name)


_STATE_METHODS = ("_load_from_state_dict", "_save_to_state_dict", "load_state_dict", "state_dict")
_STATE_HOOKS = ("_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks")


@check(after=BUILT, calls_forward=False)
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
