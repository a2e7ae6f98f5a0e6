"""Checks of what instances and copies share: defaults, ties, and a state dict below a parent."""

import copy
import inspect
import pickle
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from .core import BUILT, Case, Findings, Instance, check
from .findings import NotApplicable, finding
from .state import other_state
from .tree import held_outside_registry, reachable, state_of, submodules, tensors
from .watches import place_of


@check(after=("construction",), calls_forward=False)
def shared_defaults(case: Case) -> Findings:
    """No instance shares a module or a tensor with another through a default or its class."""
    if isinstance(case.contract, Instance):
        raise NotApplicable("there is one instance only")
    first, second = stateful(case.raw_build()), stateful(case.raw_build())
    known = set(map(id, second.values()))
    origins = dict(of_classes(case.raw_build()))
    reported: tuple[str, ...] = ()
    for path, value in first.items():
        if id(value) in known and id(value) in origins and not path.startswith(reported):
            reported += (f"{path}.",)
            problem = f"every instance shares this {type(value).__name__}: {origins[id(value)]}"
            yield finding(path, problem, "NN111")
            origins.update(dict.fromkeys(inside(value), ""))
    for key, origin in origins.items():
        if key not in set(map(id, first.values())) and origin.startswith("a class attribute"):
            name = origin.rpartition("`")[0].rpartition("`")[2]
            yield finding(name, f"is {origin}, which every instance shares", "NN111")
            return


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
        initialise = inspect.unwrap(kind.__init__)  # type: ignore[misc]
        defaults = inspect.signature(initialise).parameters
        places = {f"the default of `{name}`": one.default for name, one in defaults.items()}
        places |= {
            f"a class attribute `{kind.__name__}.{name}`": value
            for name, value in vars(kind).items()
        }
        for place, value in places.items():
            for _, part in reachable("", value, "", set()):
                yield from ((key, place) for key in inside(part))


def replacements(case: Case) -> Iterator[tuple[str, Callable[[], nn.Module]]]:
    """The ways in which all of a module's tensors become other ones."""

    def loaded() -> nn.Module:
        target = case.build()
        target.load_state_dict(copy.deepcopy(case.build().state_dict()))
        return target

    def emptied() -> nn.Module:
        try:
            module = case.raw_build(device="meta")
        except NotApplicable:
            with torch.device("meta"):
                module = case.raw_build()
        module.to_empty(device="cpu")
        return module.apply(lambda part: getattr(part, "reset_parameters", lambda: None)())

    yield "`to_empty()` from the meta device", emptied
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


@check(after=(*BUILT, "state_dict"), calls_forward=False)
def nested_state_dict(case: Case) -> Findings:
    """As a child of another module it has the same state dict, under a prefix, and loads it."""
    source = case.build()
    expected = {f"0.{key}" for key in source.state_dict()}
    where, inside = type(source).__name__, "in `nn.Sequential(module)`"
    try:
        state = nn.Sequential(source).state_dict()
        wrong = sorted(expected ^ state.keys(), key=lambda key: (key in expected, key))
        if wrong:
            said = "is missing from" if wrong[0] in expected else "is not expected in"
            yield finding(wrong[0], f"{said} the state dict {inside}", "NN209")
            return
        target = nn.Sequential(case.build())
        with torch.no_grad():
            for _, tensor in tensors(target.state_dict()):
                if tensor.is_floating_point():
                    tensor.add_(1.0)
        target.load_state_dict(copy.deepcopy(state), strict=True)
    except Exception as error:
        text = " ".join(str(error).split()).rstrip(".")
        problem = f"the state dict fails {inside}: {type(error).__name__}: {text}"
        yield finding(place_of(error) or where, problem, "NN209")
        return
    for one in other_state(target.state_dict(), state, f"after loading {inside}"):
        yield finding(where, one.problem, "NN209")
