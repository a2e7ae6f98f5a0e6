"""Checks of the registry: what the module holds is registered, once, and as stated."""

import re
from dataclasses import replace

from torch import nn

from .case import Case
from .checks import BUILT, Findings, check
from .findings import Finding, NotApplicable, finding
from .walk import Held, held_outside_registry, join, submodules


@check(after=("construction",), calls_forward=False)
def registry(case: Case) -> Findings:
    """Every module, parameter and tensor on an attribute is registered."""
    yield from all_unregistered("registry", case.build())


def all_unregistered(check_name: str, module: nn.Module) -> Findings:
    """Everything outside the registry; what is wrong with a whole container in one line."""
    alike: dict[tuple[str, str], list[Finding]] = {}
    for held in held_outside_registry(module):
        found = unregistered(check_name, held)
        item = re.fullmatch(r"(.+)\[[^\[]+\]", found.path)
        folds = item and found.code in ("NN103", "NN104")
        alike.setdefault((item[1] if item and folds else found.path, found.problem), []).append(
            found
        )
    for first, *others in alike.values():
        path = f"{first.path} … {others[-1].path}" if others else first.path
        yield replace(first, path=path)


def unregistered(check_name: str, held: Held) -> Finding:
    """The rule that something outside the registry breaks."""
    value = held.value
    if isinstance(value, nn.Module):
        kind = type(value).__name__
        problem = f"{kind} outside the registry: it is not moved, trained or saved"
        return finding(check_name, held.path, problem, "NN103")
    shape = tuple(value.shape)
    if isinstance(value, nn.Parameter):
        problem = f"parameter of shape {shape} outside the registry: no optimizer sees it"
        return finding(check_name, held.path, problem, "NN104")
    if value.grad_fn is not None:
        problem = f"computed from a parameter ({value.grad_fn.name()}), so it is a plain tensor"
        return finding(check_name, held.path, problem, "NN107")
    problem = f"plain tensor of shape {shape}: it is neither moved nor saved"
    return finding(check_name, held.path, problem, "NN201")


@check(after=("construction",), calls_forward=False)
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
                yield finding("repeated_modules", join(path, name), problem, "NN109")
            first.setdefault(id(child), name)


@check(after=BUILT, calls_forward=False)
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
                problem = f"has shape {actual.get(name)}, stated is {expected.get(name)}"
                yield finding("parameters", name, problem)
    if count is not None:
        sizes = [(value.numel(), value.requires_grad) for value in module.parameters()]
        total = sum(size for size, _ in sizes)
        trainable = sum(size for size, learns in sizes if learns)
        for kind, number in {"in all": total, "trainable": trainable}.items():
            if number != count:
                problem = f"the module has {number} elements {kind}, stated are {count}"
                yield finding("parameters", "parameter_count", problem)
