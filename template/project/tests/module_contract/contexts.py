"""Checks of a module that is called, changed and called again, beside one that was not called."""

import copy
import functools
import gc
import itertools
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .case import BATCH, Case, lengths_of, seed_everything
from .core import SOUND, STEADY, Findings, check, in_each_mode
from .devices import misplaced
from .rules import NotApplicable, finding, require
from .training import backpropagate, cast, make_double
from .tree import (
    attributes,
    convert,
    difference,
    has_own_state,
    held_outside_registry,
    is_lazy,
    is_plain,
    join,
    reachable,
    submodules,
)
from .watches import place, place_of

_CACHED = type(functools.cache(len))
Step = Callable[[nn.Module], Any]
_REWEIGHTED = "the weights changed"
_OF_WEIGHTS = "Compute it at each call, or drop it in `train()` and after loading."


@check(
    SOUND,
    "untracked_state",
    repeats=("NN105", "NN106", "NN108", "NN202", "NN203", "NN204", "NN206", "NN207", "NN401"),
    in_forward=True,
)
def changed_context(case: Case) -> Findings:
    """What one call leaves behind fits the next, whatever has changed in between."""
    found: dict[str, str] = {}
    for changed, prepare, first, second in (*conversions(case), *other_sizes(case)):
        fresh, used = case.build(training=False), case.build(training=False)
        try:
            prepare(fresh)
            expected = second(fresh)
            before = dict(held_outside_registry(used))
            first(used)
            left = what_is_left(used, before)
            prepare(used)
        except Exception:
            # It does not work at all, which is another check's business.
            continue
        try:
            text = difference(second(used), expected)
        except Exception as error:
            text = f"{type(error).__name__}: {' '.join(str(error).split()).rstrip('.')}"
        # What follows from the weights asks for a fix of its own.
        if text and (left not in found or changed == _REWEIGHTED):
            found[left] = f"is used again although {changed}: {text}"
    for left, problem in (moved(case) or growing(case)) if not found else ():
        found.setdefault(left, problem)
    for left, problem in (found or outliving(case)).items():
        yield finding(left, problem, "NN206", _OF_WEIGHTS if _REWEIGHTED in problem else "")


def what_is_left(module: nn.Module, before: Mapping[str, object]) -> str:
    """The attribute that holds what a call left, as well as one can say."""
    known = set(map(id, before.values()))
    left = [path for path, value in held_outside_registry(module) if id(value) not in known]
    cached = [name for name, _ in cached_functions(module)]
    return left[0].partition("[")[0] if left else (cached or ["forward"])[0]


def cached_functions(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """The methods of a module's classes that keep what they returned."""
    for path, part in submodules(module):
        for kind in type(part).__mro__:
            for name, value in vars(kind).items():
                if hasattr(value, "cache_info"):
                    yield join(path, name), value


def conversions(case: Case) -> Iterator[tuple[str, Step, Step, Step]]:
    """What may change: the change in words and in deed, the call before it and the one after."""
    (_, dtype), half = case.precision(), torch.bfloat16

    def evaluate(inputs_type: torch.dtype | None = None) -> Step:
        return lambda module: case.evaluate(module, case.inputs(dtype=inputs_type))

    def nothing(_: nn.Module) -> None:
        """Where the change lies in how it is called."""

    def halved(module: nn.Module) -> Any:
        cast(module, half)
        return evaluate(half)(module)

    def rounded(module: nn.Module) -> None:
        cast(module, half)
        cast(module, dtype)

    @torch.no_grad()
    def reweighted(module: nn.Module) -> None:
        for value in module.parameters():
            if value.is_floating_point():
                value.mul_(0.5)

    def learn(module: nn.Module) -> Any:
        module.train()
        output = case.call(module, case.inputs(gradients=True))
        backpropagate(output)
        named = module.named_parameters()
        return convert([output, {name: value.grad for name, value in named}], Tensor.detach)

    def inferred(module: nn.Module) -> None:
        with torch.inference_mode():
            case.call(module)

    yield f"the dtype changed from {half} to {dtype}", rounded, halved, evaluate()
    if dtype is not torch.float64:
        double = evaluate(torch.float64)
        yield f"the dtype changed from {dtype} to torch.float64", make_double, evaluate(), double
    yield "training follows inference_mode()", nothing, inferred, learn
    yield "training follows no_grad()", nothing, evaluate(), learn
    yield _REWEIGHTED, reweighted, evaluate(), evaluate()


def other_sizes(case: Case) -> Iterator[tuple[str, Step, Step, Step]]:
    """The same for inputs of another batch size, and of another length where it takes one."""

    def evaluate(inputs: Any) -> Step:
        return lambda module: case.evaluate(module, convert(inputs, Tensor.clone))

    pairs = [("batch size", case.inputs(2), case.inputs())]
    if lengths := lengths_of(case):
        pairs.append(("length", lengths.of(lengths.size - 1), case.inputs()))
    for name, small, large in pairs:
        for one, other in ((small, large), (large, small)):
            yield f"the {name} changed", lambda _: None, evaluate(one), evaluate(other)


def moved(case: Case) -> list[tuple[str, str]]:
    """What a call on the CPU leaves where the module and its inputs are on another device next."""
    fresh, used = case.build(training=False), case.build(training=False)
    before = dict(held_outside_registry(used))
    case.evaluate(used)
    left = what_is_left(used, before)
    try:
        found = misplaced(case, used) if not misplaced(case, fresh) else []
    except NotApplicable:
        return []
    again = "is used again although the device changed"
    return [(left, f"{again}: {one.problem}") for one in found[:1]]


def growing(case: Case) -> list[tuple[str, str]]:
    """What holds more tensors after each new length, or after each call of a cached function."""
    lengths, caches = lengths_of(case), function_caches(case.build(training=False))
    ways: dict[str, list[Any]] = {}
    if lengths:
        sizes = range(max(lengths.size - 1, 1), lengths.size + 3)
        ways["new length"] = [lengths.of(size) for size in sizes]
    if caches:
        # A cache finds no tensor again, for two are never the same key.
        ways["call"] = [case.inputs() for _ in range(4)]
    for what, calls in ways.items():
        module = case.build(training=False)
        counts: list[dict[str, int]] = []
        for cached in caches.values():
            cached.cache_clear()
        for inputs in calls:
            try:
                case.evaluate(module, inputs)
            except Exception:
                continue
            held = [path.partition("[")[0] for path, _ in held_outside_registry(module)]
            counts.append({path: held.count(path) for path in held})
            counts[-1] |= {place: cached_tensors(cached) for place, cached in caches.items()}
        found = [
            (path, f"grows with each {what}, from {sizes[0]} to {sizes[-1]} tensors")
            for path in (counts[-1] if len(counts) > 2 else ())
            for sizes in [[one.get(path, 0) for one in counts]]
            if all(one < two for one, two in itertools.pairwise(sizes))
            # What is bounded, and found again, grows no further.
            and (what == "call" or path not in caches or not caches[path].cache_info().maxsize)
        ]
        if found:
            return found
    return []


def function_caches(module: nn.Module) -> dict[str, Any]:
    """The functions of the authors' files that keep what they returned, by their lines."""
    files = {kind.__module__ for _, part in submodules(module) for kind in type(part).__mro__}
    return {
        place(code.co_filename, code.co_firstlineno): value
        for file in files & sys.modules.keys()
        for value in (vars(sys.modules[file]).values() if not file.startswith("torch.") else ())
        if isinstance(value, _CACHED)
        for code in [getattr(value.__wrapped__, "__code__", None)]
        if code
    }


def cached_tensors(function: Any) -> int:
    """How many tensors a cache holds, in its keys or its values."""
    held = gc.get_referents(function)
    entries = [entry for one in held if type(one) is dict for pair in one.items() for entry in pair]
    found = reachable("", [*held, *entries], "", set())
    return sum(isinstance(value, Tensor) for _, value in found)


def outliving(case: Case) -> dict[str, str]:
    """What keeps a module alive, once it was called, after the last reference to it is gone."""
    if not survives(case, called=True) or survives(case, called=False):
        return {}
    names = [name for name, _ in cached_functions(case.build())] or ["forward"]
    problem = "keeps the module alive, with its weights, after the last reference to it is gone"
    return dict.fromkeys(names, problem)


def survives(case: Case, *, called: bool) -> bool:
    # What is there already would take the collector a tenth of a second to look through.
    gc.freeze()
    try:
        module = case.build(training=False)
        reference = weakref.ref(module)
        if called:
            case.evaluate(module)
        del module
        gc.collect()
        return reference() is not None
    finally:
        gc.unfreeze()


@check(STEADY, "state_dict", repeats=(), in_forward=True)
@in_each_mode
def untracked_state(case: Case, training: bool) -> Findings:
    """No number, flag or list that forward changes decides what a later call computes."""
    before = plain_values(case.build(training=training))
    known = {path: copy.deepcopy(getattr(*slot)) for path, slot in before.items()}
    now = plain_values(called(case, training=training))
    for path, slot in now.items():
        if path in known and known[path] == getattr(*slot):
            continue
        used, reset = (called(case, training=training) for _ in range(2))
        owner, name = plain_values(reset)[path]
        if path in known:
            setattr(owner, name, copy.deepcopy(known[path]))
        else:
            delattr(owner, name)
        try:
            differs = difference(consequence(case, used), consequence(case, reset))
        except Exception as error:
            differs = f"{type(error).__name__} {place_of(error) or ''}"
        if differs:
            kind = type(getattr(*slot)).__name__
            problem = f"forward changes this {kind} and computes by it, but no state dict holds it"
            yield finding(path, problem, "NN207")


def plain_values(module: nn.Module) -> dict[str, tuple[Any, str]]:
    """The plain values on attributes, and on objects of the author's there: their owners, names."""
    found: dict[str, tuple[Any, str]] = {}
    owners = dict(submodules(module))
    for path, value, package in attributes(module):
        owner, _, name = path.rpartition(".")
        if is_plain(value):
            found[path] = owners[owner], name
        elif has_own_state(value, package) and not isinstance(value, nn.Module):
            inner = {f"{path}.{key}": (value, key) for key in vars(value)}
            found |= {key: slot for key, slot in inner.items() if is_plain(getattr(*slot))}
    return found


def called(case: Case, *, training: bool) -> nn.Module:
    module = case.build(training=training)
    case.evaluate(module)
    return module


def consequence(case: Case, module: nn.Module) -> list[Any]:
    """What two further calls give, and what they make of the state."""
    given = (other_samples(case), case.inputs(seed=2))
    outputs = [case.evaluate(module, inputs) for inputs in given]
    return convert([*outputs, module.state_dict()], Tensor.clone)


def other_samples(case: Case) -> Any:
    """Other inputs for sure: where they repeat an example, another seed alone changes nothing."""
    inputs, rows = case.inputs(seed=1), torch.arange(1, BATCH + 1).clamp(max=BATCH - 1)
    try:
        axes = iter(case.input_axes())
    except NotApplicable:
        return inputs

    def pick(tensor: Tensor) -> Tensor:
        axis = next(axes)
        return tensor if axis is None else tensor.index_select(axis, rows)

    return convert(inputs, pick)


@check(SOUND, "untracked_state", "loaded_output")
def resumption(case: Case) -> Findings:
    """A module that is saved between two steps of training goes on as if it had not been."""
    require(True in case.modes, "the module is only called")
    trained = case.build()
    for seed in (3, 4):
        case.evaluate(trained, case.inputs(seed=seed))
    seed_everything(1)
    resumed = case.contract.build()
    if is_lazy(resumed):
        case.evaluate(resumed.eval())
    resumed.train()
    resumed.load_state_dict(copy.deepcopy(trained.state_dict()))
    held, kept = (
        {path: getattr(*slot) for path, slot in plain_values(module).items()}
        for module in (trained, resumed)
    )
    untracked = [path for path, value in held.items() if path not in kept or kept[path] != value]
    buffers = dict(resumed.named_buffers())
    others = [
        name for name, value in trained.named_buffers() if difference([value], [buffers.get(name)])
    ]
    # Copied, for a module may return what it keeps.
    expected, actual = (consequence(case, module) for module in (trained, resumed))
    if text := difference(actual, expected):
        problem = f"something outside the state dict decides how training goes on: {text}"
        code = "NN207" if untracked and not others else ""
        fix = "" if code else "Register it as a persistent buffer."
        yield finding([*others, *untracked, "state_dict()"][0], problem, code, fix)
