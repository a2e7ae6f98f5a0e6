"""Checks of a module as it is built: constructor, registry, representation, docstring."""

import contextlib
import doctest
import inspect
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from .case import Case, Instance
from .core import BUILT, Findings, check, unexpected
from .rules import Finding, NotApplicable, finding, require
from .state import unpicklable
from .tree import held_outside_registry, join, reachable, state_of, submodules
from .watches import DeviceWatch, is_torch, place

_PLAIN = (bool, int, float, str)
_FACTORY = ("device", "dtype")
_REGISTERED = (nn.Module, nn.Parameter, nn.Buffer)


@check(proves=BUILT, calls_forward=False, stops=True, of_calls=True)
def construction(case: Case) -> Findings:
    """The module can be built, and every module in it went through `nn.Module.__init__`."""
    with DeviceWatch() as watch:
        try:
            module = case.raw_build()
        except (Exception, SystemExit) as error:
            if isinstance(case.contract, Instance):
                whole = case.contract.module
                problem = f"cannot be copied: {error}"
                yield from [*all_unregistered(whole)] or unpicklable(whole, problem)
            else:
                yield failure_to_construct(case, error, watch)
            return
    if not isinstance(module, nn.Module):
        name, fix = f"a value of type `{type(module).__name__}`", ""
        if isinstance(module, type):
            name, fix = f"the class `{module.__name__}`", f"Call it: `{module.__name__}(...)`."
        yield finding("build()", f"returns {name}, which is not an `nn.Module`", fix=fix)
        return
    broken = [(path, part) for path, part in submodules(module) if "_parameters" not in vars(part)]
    for path, part in broken:
        kind = type(part).__name__
        problem = f"`{kind}.__init__` never reaches `nn.Module.__init__`"
        yield finding(path or kind, problem, "NN101")
    if broken:
        return
    literals = watch.findings("NN301")
    yield from literals
    state = [] if literals else state_of(module)
    if state and all(tensor.is_meta for _, tensor in state):
        fix = "Build it on the CPU unless `device=` names another."
        yield finding("build()", "returns a module on the meta device, without values", fix=fix)
        return
    for path, tensor in state:
        if tensor.device.type != torch.get_default_device().type:
            problem = f"is on {tensor.device}, although no device was asked for"
            fix = "Take the device as an argument: `device=device`."
            yield finding(path, problem, "NN301", fix)


def failure_to_construct(case: Case, error: BaseException, watch: DeviceWatch) -> Finding:
    """The rule behind an exception of the constructor."""
    with early_registration_tolerated() as (early, initialised):
        try:
            case.raw_build()
        except (Exception, SystemExit) as second:
            error = second
    if early:
        module, attribute = early[0]
        name = type(module).__name__
        path = f"{name}.{attribute}"
        if any(one is module for one in initialised):
            problem = f"is assigned before `{name}.__init__` reaches `nn.Module.__init__`"
            return finding(path, problem, "NN102")
        problem = f"is assigned, and `{name}.__init__` never reaches `nn.Module.__init__`"
        return finding(path, problem, "NN101")
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if isinstance(error, KeyError) and frame.f_code is nn.Module.add_module.__code__:
            owner, key = frame.f_locals["self"], frame.f_locals["name"]
            problem = f"the key cannot be used: {error.args[0]}"
            return finding(f"{type(owner).__name__}[{key!r}]", problem, "NN110")
    literals = watch.findings("NN301")
    return literals[0] if literals else unexpected(error, "the constructor raises ")


@contextlib.contextmanager
def early_registration_tolerated() -> Iterator[tuple[list[tuple[nn.Module, str]], list[nn.Module]]]:
    """Let a constructor go on after an early assignment, to see whether it initialises later.

    It notes what is registered before its module is initialised, and the modules that are.
    """
    early: list[tuple[nn.Module, str]] = []
    initialised: list[nn.Module] = []
    initialise, assign, add = nn.Module.__init__, nn.Module.__setattr__, nn.Module.add_module

    def watched_init(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        initialised.append(module)
        # Initialising again would throw away what was registered early.
        if "_parameters" not in vars(module):
            initialise(module, *args, **kwargs)

    def watched(method: Callable[..., None]) -> Callable[..., None]:
        def register(module: nn.Module, name: str, *args: Any, **kwargs: Any) -> None:
            registers = method is not assign or isinstance(args[0], _REGISTERED)
            if registers and "_parameters" not in vars(module):
                early.append((module, name))
                initialise(module)
            method(module, name, *args, **kwargs)

        return register

    methods = (assign, add, nn.Module.register_buffer, nn.Module.register_parameter)
    patches: Any = {method.__name__: watched(method) for method in methods}
    with patch.multiple(nn.Module, __init__=watched_init, **patches):
        yield early, initialised


@check("construction", proves=BUILT, calls_forward=False, stops=True)
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
        for where, value in places.items():
            for _, part in reachable("", value, "", set()):
                yield from ((key, where) for key in inside(part))


@check("construction", proves=BUILT, calls_forward=False, of_calls=True)
def registry(case: Case) -> Findings:
    """Every module, parameter and tensor on an attribute is registered."""
    yield from all_unregistered(case.build())


def all_unregistered(module: nn.Module) -> Findings:
    """Everything outside the registry; what is wrong with a whole container in one line."""
    alike: dict[tuple[str, str], list[Finding]] = {}
    for path, value in held_outside_registry(module):
        if isinstance(value, Tensor) and not isinstance(value, nn.Parameter) and not value.numel():
            continue  # a placeholder
        found = unregistered(path, value)
        item = re.fullmatch(r"(.+)\[[^\[]+\]", path)
        folds = item and found.code in ("NN103", "NN104")
        alike.setdefault((item[1] if item and folds else path, found.problem), []).append(found)
    for first, *others in alike.values():
        path = f"{first.attribute} … {others[-1].attribute}" if others else first.attribute
        yield replace(first, attribute=path)


def unregistered(path: str, value: nn.Module | Tensor) -> Finding:
    """The rule that something outside the registry breaks."""
    if isinstance(value, nn.Module):
        kind = type(value).__name__
        problem = f"{kind} outside the registry: it is not moved, trained or saved"
        return finding(path, problem, "NN103")
    shape = tuple(value.shape)
    if isinstance(value, nn.Parameter):
        problem = f"parameter of shape {shape} outside the registry: no optimizer sees it"
        return finding(path, problem, "NN104")
    if value.grad_fn is not None:
        problem = f"computed from a parameter ({value.grad_fn.name()}), so it is a plain tensor"
        return finding(path, problem, "NN107")
    return finding(path, f"plain tensor of shape {shape}: it is neither moved nor saved", "NN201")


@check("construction", calls_forward=False)
def repeated_modules(case: Case) -> Findings:
    """No container holds one module with parameters in several places."""
    for path, container in submodules(case.build()):
        if not isinstance(container, nn.ModuleList | nn.ModuleDict | nn.Sequential):
            continue
        first: dict[int, str] = {}
        for name, child in container._modules.items():
            if child is None or next(child.parameters(), None) is None:
                continue
            if id(child) in first:
                other = join(path, first[id(child)])
                problem = f"the same {type(child).__name__} as {other}: they share their weights"
                yield finding(join(path, name), problem, "NN109")
            first.setdefault(id(child), name)


@check(BUILT, calls_forward=False)
def parameters(case: Case) -> Findings:
    """The module has the stated parameters: their number, or their names and shapes."""
    count, expected = case.contract.parameter_count, case.contract.parameter_shapes
    if count is None and expected is None:
        raise NotApplicable("neither `parameter_count` nor `parameter_shapes` is stated")
    module = case.build()
    if expected is not None:
        actual = {name: tuple(value.shape) for name, value in module.named_parameters()}
        for name in sorted({*actual, *expected}):
            if actual.get(name) != expected.get(name):
                yield finding(name, f"has shape {actual.get(name)}, stated is {expected.get(name)}")
    if count is not None:
        trainable = [value for value in module.parameters() if value.requires_grad]
        for kind, values in {"in all": module.parameters(), "trainable": trainable}.items():
            if (number := sum(value.numel() for value in values)) != count:
                problem = f"the module has {number} elements {kind}, stated are {count}"
                yield finding("parameter_count", problem)


@check(BUILT, calls_forward=False, advice=True)
def representation(case: Case) -> Findings:
    """`repr` is one line a child and shows the constructor's arguments."""
    kind = type(case.raw_build())
    initialise = kind.__init__
    with patch.object(kind, "__init__", autospec=True, side_effect=initialise) as watched:
        module = case.build()
    text = repr(module)
    lines, allowed = len(text.splitlines()), expected_lines(module)
    if lines > allowed:
        fix = "Return one line from `extra_repr()`."
        yield finding("repr", f"has {lines} lines where the children need {allowed}", fix=fix)
    signature = inspect.signature(initialise)
    own = [call for call in watched.call_args_list if type(call.args[0]) is kind]
    arguments = signature.bind(*own[0].args, **own[0].kwargs).arguments if own else {}
    for name, value in arguments.items():
        default = signature.parameters[name].default
        if not isinstance(value, _PLAIN) or value == default or name in _FACTORY:
            continue
        # A child may show the value under a name of its own, so any mention counts.
        shown = name in text if isinstance(value, bool) else str(value).lower() in text.lower()
        if not shown:
            problem = f"does not show the argument {name}={value!r}"
            yield finding("repr", problem, fix="Add it to `extra_repr()`.")


def expected_lines(module: nn.Module) -> int:
    """One line for a module alone; with children one each, its own, and the two brackets."""
    if isinstance(module, nn.ParameterList | nn.ParameterDict):
        return len(repr(module).splitlines())
    children = module._modules.values()
    lines = [1 if child is None else expected_lines(child) for child in children]
    return sum(lines) + 2 + bool(module.extra_repr()) if lines else 1


# Others' examples may download models, or train one.
@check(BUILT, calls_forward=False, advice=True)
def examples(case: Case) -> Findings:
    """The examples in the docstrings of the module's file give what they show."""
    file = sys.modules.get(type(case.build()).__module__)
    if file is None or is_torch(getattr(file, "__file__", None) or ""):
        raise NotApplicable("the module's file is not the author's")
    tests = [test for test in doctest.DocTestFinder().find(file) if test.examples]
    require(tests, "no docstring of the module's file has an example")
    for test in tests:
        yield from failures(test)


def failures(test: doctest.DocTest) -> Findings:
    """What the first example that fails in a docstring gives instead; warnings fail it too."""
    runner = doctest.DebugRunner(optionflags=doctest.ELLIPSIS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            runner.run(test)
    except doctest.DocTestFailure as failure:
        example = failure.example
        problem = f"gives {in_a_line(failure.got)}, not {in_a_line(example.want)}"
    except doctest.UnexpectedException as failure:
        example = failure.example
        kind, error, _ = failure.exc_info
        problem = f"raises {kind.__name__}: {in_a_line(str(error))}"
    else:
        return
    line = (test.lineno or 0) + example.lineno + 1
    where = place(test.filename or test.name, line)
    fix = "Correct the example, or the code."
    yield finding(where, f"`{in_a_line(example.source)}` {problem}", fix=fix)


def in_a_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".") or "nothing"
