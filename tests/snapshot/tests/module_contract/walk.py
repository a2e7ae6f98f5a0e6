"""What a module holds outside its registry: modules, parameters and tensors on plain attributes."""

import functools
import types
import weakref
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

# What every module carries; anything else in its `vars` was put there by its author.
FRAME = frozenset(vars(nn.Module()))
_CONTAINERS = (list, tuple, set, frozenset, deque)
_PROXIES = (weakref.ProxyType, weakref.CallableProxyType)


@dataclass(frozen=True)
class Held:
    """A module or tensor that is no entry of any module's registry, and where it was found."""

    path: str
    value: nn.Module | Tensor


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
    """The path of an attribute of the module at that path."""
    return f"{path}.{name}" if path else name


def attributes(root: nn.Module) -> Iterator[tuple[str, object, str]]:
    """The authors' plain attributes of all registered modules: path, value, author's package."""
    for path, module in submodules(root):
        for name, value in list(vars(module).items()):
            if name not in FRAME:
                yield join(path, name), value, package_of(module)


def package_of(value: object) -> str:
    """The top-level package in which a value's class is defined."""
    return type(value).__module__.partition(".")[0]


def held_outside_registry(root: nn.Module) -> Iterator[Held]:
    """Every module and tensor that attributes reach and no registry lists, each once."""
    seen: set[int] = set()
    for _, module in submodules(root):
        seen.add(id(module))
        seen.update(id(value) for value in vars(module).get("_parameters", {}).values())
        seen.update(id(value) for value in vars(module).get("_buffers", {}).values())
    for path, attribute, package in attributes(root):
        for where, value in reachable(path, attribute, package, seen):
            if isinstance(value, nn.Module | Tensor):
                yield Held(where, value)


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


def length(value: object) -> int:
    """The entries of a container, equal ones too; a bounded queue counts as full."""
    if isinstance(value, deque) and value.maxlen is not None:
        return value.maxlen
    return len(value) if isinstance(value, (*_CONTAINERS, dict)) else 0
