"""What a model holds outside its registry: it would be in no checkpoint, and so in no export."""

import types
import weakref
from collections import deque
from collections.abc import Iterator

from torch import Tensor, nn

from .rules import Breach
from .source import assignment

# What every module carries; anything else in its `vars` was put there by its author.
_FRAME = frozenset(vars(nn.Module()))
_SEQUENCES = (list, tuple, set, frozenset, deque)
_PROXIES = (weakref.ProxyType, weakref.CallableProxyType)


def unregistered(model: nn.Module) -> list[Breach]:
    """Return the attributes that hold modules, parameters or tensors past the registry."""
    seen = {id(module) for module in model.modules()}
    seen.update(id(tensor) for tensor in (*model.parameters(), *model.buffers()))
    problems: dict[tuple[str, str], str] = {}
    paths: dict[tuple[str, str], list[str]] = {}
    for path, module in model.named_modules():
        for name, value in plain_attributes(module):
            whole = f"{path}.{name}" if path else name
            for part in _reachable(value, _package(module), seen):
                code, problem = _broken(part)
                # One line of source is said once, however much it holds, and in how many layers.
                line = assignment(module, name) or whole, code
                problems.setdefault(line, problem)
                if whole not in paths.setdefault(line, []):
                    paths[line].append(whole)
    return [
        Breach(code, place, f"{_named(paths[place, code])} {problem}")
        for (place, code), problem in problems.items()
    ]


def _named(paths: list[str]) -> str:
    more = f" (and {len(paths) - 1} more like it)" if len(paths) > 1 else ""
    return f"`{paths[0]}`{more}"


def plain_attributes(module: nn.Module) -> list[tuple[str, object]]:
    """Return what a module's author put on it that is no entry of its registry."""
    return [(name, value) for name, value in vars(module).items() if name not in _FRAME]


def _broken(part: nn.Module | Tensor) -> tuple[str, str]:
    if isinstance(part, nn.Module):
        kind = type(part).__name__
        return "NN103", f"holds a {kind} outside the registry: no checkpoint has it"
    shape = tuple(part.shape)
    if isinstance(part, nn.Parameter):
        return "NN104", f"holds a parameter of shape {shape} outside the registry: it never learnt"
    if part.grad_fn is not None:
        return "NN107", "is computed from a parameter, so it is a plain tensor and never learnt"
    return "NN201", f"holds a plain tensor of shape {shape}: no checkpoint has it"


def _reachable(value: object, package: str, seen: set[int]) -> Iterator[nn.Module | Tensor]:
    """Every module and tensor in a value, each once; they themselves are not entered."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        # A weak proxy poses as the module it points to, and holds nothing.
        if type(found) in _PROXIES or id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, nn.Module | Tensor):
            yield found
        else:
            waiting.extend(_parts(found, package))


def _parts(value: object, package: str) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, _SEQUENCES):
        return list(value)
    if isinstance(value, types.MethodType):
        return [value.__self__]
    # An object of the author's own is the module's to look after; a logger, say, is not.
    if isinstance(value, type | types.ModuleType | types.FunctionType):
        return []
    if _package(value) == package or isinstance(value, types.SimpleNamespace):
        return list(getattr(value, "__dict__", {}).values())
    return []


def _package(value: object) -> str:
    return type(value).__module__.partition(".")[0]
