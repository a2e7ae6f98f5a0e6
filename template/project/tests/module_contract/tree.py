"""Nested values: tensors in inputs and outputs, and what a module holds on plain attributes."""

import copy
import dataclasses
import functools
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.testing import assert_close

from .rules import Finding, NotApplicable, finding, require

# How far two orders of the same sums may be apart, where that is more than others are allowed.
_ROUNDING = {dtype: 4 * torch.finfo(dtype).eps for dtype in (torch.float16, torch.bfloat16)}
_PLAIN = (bool, int, float, complex, str)
# What every module carries; anything else in its `vars` was put there by its author.
_FRAME = frozenset(vars(nn.Module()))
_CONTAINERS = (list, tuple, set, frozenset, deque)
_PROXIES = (weakref.ProxyType, weakref.CallableProxyType)


def contents(tree: object) -> dict[Any, Any] | None:
    """What a mapping, a sequence or a dataclass holds by key, index or field; None for a leaf."""
    if isinstance(tree, Mapping):
        return dict(tree)
    if isinstance(tree, tuple | list):
        return dict(enumerate(tree))
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return {field.name: getattr(tree, field.name) for field in dataclasses.fields(tree)}
    return None


def leaves(tree: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every value that is not a container, with its path, in a fixed order."""
    held = contents(tree)
    if held is None:
        yield path, tree
        return
    for key, value in held.items():
        indexed = isinstance(tree, Mapping | tuple | list)
        yield from leaves(value, f"{path}[{key!r}]" if indexed else f"{path}.{key}")


def tensors(tree: object, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor in it, with its path."""
    return ((where, value) for where, value in leaves(tree, path) if isinstance(value, Tensor))


def convert(
    tree: Any,
    change: Callable[[Tensor], object],
    other: Callable[[Any], object] = lambda value: value,
) -> Any:
    """The same structure with every tensor changed, and every other value by `other`."""
    held = contents(tree)
    if held is None:
        return change(tree) if isinstance(tree, Tensor) else other(tree)
    changed = {key: convert(value, change, other) for key, value in held.items()}
    if isinstance(tree, Mapping):
        return changed if type(tree) is dict else type(tree)(**changed)
    if isinstance(tree, tuple | list):
        named = hasattr(tree, "_fields")
        return type(tree)(*changed.values()) if named else type(tree)(changed.values())
    given = {field.name for field in dataclasses.fields(tree) if field.init}
    return dataclasses.replace(tree, **{name: changed[name] for name in given})


def arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return ((), dict(inputs)) if isinstance(inputs, Mapping) else (inputs, {})


def apply(function: Callable[..., Any], inputs: Any) -> Any:
    args, kwargs = arguments(inputs)
    return function(*args, **kwargs)


def difference(actual: object, expected: object, tolerance: float | None = None) -> str:
    """What differs between two outputs, or nothing if they agree."""
    left, right = list(leaves(actual, "output")), list(leaves(expected, "output"))
    if [path for path, _ in left] != [path for path, _ in right]:
        return "the outputs have different structures"
    for (path, one), (_, other) in zip(left, right, strict=True):
        if isinstance(one, Tensor) and isinstance(other, Tensor):
            dense = (one.detach().to_dense(), other.detach().to_dense())
            allowed = max(tolerance or 0, _ROUNDING.get(other.dtype, 0)) or None
            try:
                assert_close(*dense, rtol=allowed, atol=allowed, equal_nan=True)
            except AssertionError as error:
                return f"{path} differs: {' '.join(str(error).split())}"
        elif isinstance(one, _PLAIN) and isinstance(other, _PLAIN) and one != other:
            return f"{path} differs: {one!r} is not {other!r}"
    return ""


def disagreement(
    where: str,
    problem: str,
    actual: object,
    expected: object,
    tolerance: float | None = None,
    fix: str = "",
) -> Iterator[Finding]:
    """Report a problem, and what differs, if two outputs do not agree."""
    if text := difference(actual, expected, tolerance):
        yield finding(where, f"{problem}: {text}", fix=fix)


# Shapes, and the dimension in them that is the batch.


def shapes(tree: object) -> object:
    """The same in plain tuples and dictionaries, each tensor's shape in its place."""
    held = contents(tree)
    if held is not None:
        return plain(tree, {key: shapes(value) for key, value in held.items()})
    if isinstance(tree, Tensor):
        return tuple(tree.shape)
    return () if isinstance(tree, bool | int | float | complex) else tree


def plain(tree: object, held: dict[Any, Any]) -> object:
    return tuple(held.values()) if isinstance(tree, tuple | list) else held


def is_shape(expected: object) -> TypeGuard[tuple[int, ...]]:
    return isinstance(expected, tuple) and all(isinstance(size, int) for size in expected)


def stated_shapes(expected: object) -> list[tuple[int, ...]]:
    """The shapes in a structure of them, in the order of the output's tensors."""
    if is_shape(expected):
        return [expected]
    held = contents(expected) or {}
    return [shape for part in held.values() for shape in stated_shapes(part)]


def extrapolated(small: Any, large: Any, batch: int) -> Any:
    """The shapes for any batch, in plain tuples and dictionaries, from those for 2 and for 3."""
    if isinstance(small, int) and isinstance(large, int):
        return small + (large - small) * (batch - 2)
    held, others = contents(small) or {}, contents(large) or {}
    alike = held.keys() == others.keys() and (held or small == large)
    require(alike, "the structure of the output depends on the batch")
    if not held:
        return small
    return plain(small, {key: extrapolated(held[key], others[key], batch) for key in held})


def batch_axis(small: tuple[int, ...], large: tuple[int, ...]) -> int | None:
    """The one dimension that follows the batch, from shapes for batches of 2 and 3."""
    require(len(small) == len(large), "the number of dimensions depends on the batch")
    changed = [axis for axis in range(len(small)) if small[axis] != large[axis]]
    if not changed:
        return None
    if len(changed) > 1 or (small[changed[0]], large[changed[0]]) != (2, 3):
        raise NotApplicable("the batch is not one dimension of its own")
    return changed[0]


def narrowed(tree: Any, axes: list[int | None], start: int, size: int = 1) -> Any:
    """The samples from ``start`` on; what has no batch dimension stays whole."""
    remaining = iter(axes)

    def narrow(tensor: Tensor) -> Tensor:
        axis = next(remaining)
        return tensor if axis is None else tensor.narrow(axis, start, size)

    return convert(tree, narrow)


# What a module holds: registered modules, and modules and tensors on plain attributes.


def submodules(root: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every registered module once, with its path; unlike `named_modules`, broken ones too."""
    seen: set[int] = set()
    waiting = [("", root)]
    while waiting:
        path, module = waiting.pop(0)
        if id(module) in seen:
            continue
        seen.add(id(module))
        yield path, module
        for name, child in vars(module).get("_modules", {}).items():
            if child is not None:
                waiting.append((join(path, name), child))


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def state_of(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]


def overrides(root: nn.Module, path: str, method: str) -> bool:
    """Whether a registered module, or one that it is a part of, has its own such method."""
    names = path.split(".") if path else []
    owners = [root.get_submodule(".".join(names[:count])) for count in range(len(names) + 1)]
    return any(getattr(type(one), method) is not getattr(nn.Module, method) for one in owners)


def learns(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def is_lazy(module: nn.Module) -> bool:
    return any(nn.parameter.is_lazy(tensor) for _, tensor in state_of(module))


def attributes(root: nn.Module) -> Iterator[tuple[str, object, str]]:
    """The authors' plain attributes of all registered modules: path, value, author's package."""
    for path, module in submodules(root):
        left_out = _FRAME.union(recomputed(module))
        for name, value in list(vars(module).items()):
            if name not in left_out:
                yield join(path, name), value, package_of(module)


def recomputed(module: nn.Module) -> list[str]:
    """The attributes that hooks of torch compute again before each call: weight norms, masks."""
    named = [
        getattr(hook, "_tensor_name", None) or getattr(hook, "name", None)
        for hook in vars(module).get("_forward_pre_hooks", {}).values()
        if type(hook).__module__.startswith("torch.nn.utils.")
    ]
    return [name for name in named if name in vars(module)]


def deep_copied(root: nn.Module) -> nn.Module:
    """A deep copy, although torch copies no tensor with a graph, as what hooks compute has one."""
    values = [vars(part)[name] for _, part in submodules(root) for name in recomputed(part)]
    return copy.deepcopy(root, {id(value): value.detach().clone() for value in values})


def package_of(value: object) -> str:
    return type(value).__module__.partition(".")[0]


def held_outside_registry(root: nn.Module) -> Iterator[tuple[str, nn.Module | Tensor]]:
    """Every module and tensor that attributes reach and no registry lists, each once."""
    seen: set[int] = set()
    for _, module in submodules(root):
        held = vars(module)
        registered = {**held.get("_parameters", {}), **held.get("_buffers", {})}
        seen.update(map(id, (module, *registered.values())))
    for path, attribute, package in attributes(root):
        for where, value in reachable(path, attribute, package, seen):
            if isinstance(value, nn.Module | Tensor):
                yield where, value


def reachable(
    path: str,
    value: object,
    package: str,
    seen: set[int],
) -> Iterator[tuple[str, object]]:
    """A value and all that it contains, each once; modules and tensors are not entered."""
    waiting = [(path, value)]
    while waiting:
        where, found = waiting.pop()
        # A weak proxy poses as the module it points to, and holds nothing.
        if type(found) in _PROXIES or id(found) in seen:
            continue
        seen.add(id(found))
        yield where, found
        if not isinstance(found, nn.Module | Tensor):
            waiting.extend(reversed(list(parts(where, found, package))))


def parts(path: str, value: object, package: str) -> Iterator[tuple[str, object]]:
    """What a plain value holds directly."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{path}[{key!r}]", item
    elif isinstance(value, _CONTAINERS):
        for index, item in enumerate(value):
            yield f"{path}[{index}]", item
    elif isinstance(value, functools.partial):
        yield from parts(path, value.args, package)
        yield from parts(path, value.keywords, package)
    elif isinstance(value, types.MethodType):
        yield f"{path}.__self__", value.__self__
    elif has_own_state(value, package):
        for name, item in vars(value).items():
            yield f"{path}.{name}", item


def has_own_state(value: object, package: str) -> bool:
    """Whether a value is an instance whose attributes are the module's to look after.

    Those are the author's own objects, torch's distributions and namespaces. A logger, a trainer
    or a data set leads to half of the program, which is not the module's.
    """
    if isinstance(value, type | types.ModuleType | types.FunctionType):
        return False
    own = package_of(value) == package or isinstance(value, types.SimpleNamespace)
    distribution = type(value).__module__.startswith("torch.distributions.")
    return (own or distribution) and hasattr(value, "__dict__")


def is_plain(value: object) -> bool:
    """Whether a value is of Python alone: a number, a text, nothing, or a container of these."""
    if isinstance(value, dict):
        return all(is_plain(item) for item in value.values())
    if isinstance(value, _CONTAINERS):
        return all(map(is_plain, value))
    return value is None or isinstance(value, _PLAIN)


def length(value: object) -> int:
    """The entries of a container, equal ones too; a bounded queue counts as full."""
    if isinstance(value, deque) and value.maxlen is not None:
        return value.maxlen
    return len(value) if isinstance(value, (*_CONTAINERS, dict)) else 0
