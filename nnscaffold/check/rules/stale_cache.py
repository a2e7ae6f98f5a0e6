"""NN206: what one call computed and later ones use, whatever has changed since."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.asking import flat, holds_graph
from nnscaffold.check.rules.shared.caches import asks_for, caches_by_key, keys_of, locals_of
from nnscaffold.check.syntax import called, first_parameter, mentions, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Assign, Guard
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel

_CACHES = frozenset({"functools.lru_cache", "functools.cache"})


def find(model: ClassModel) -> Iterator[Finding]:
    """NN206: what a call computed is used by the next, whatever has changed since."""
    for name, function in model.methods.items():
        for decorator in function.decorator_list:
            cache = model.file.names.qualified(called(decorator))
            if cache not in _CACHES or name not in model.in_forward:
                continue
            bound = first_parameter(function) in ("self", "cls")
            if bound or any(value.is_tensor for value in flat(model.run(name, [], {}))):
                message = (
                    f"the cache of `{name}` keeps each module alive, and tensors of other devices"
                )
                yield model.file.finding("NN206", decorator, message, f"{model.name}.{name}")
    reported: set[str] = set()
    for one in model.forward_assigns():
        name = one.attribute
        if name in reported or model.is_buffer(name):
            continue
        tensors = [value for value in flat(one.values) if value.is_tensor]
        if not tensors or any(holds_graph(value) and not one.where.no_grad for value in tensors):
            continue
        if one.how == "item" and caches_by_key(model, one) and not _has_device_for_key(one):
            message = f"`self.{name}` keeps a tensor for each key: it grows, and nothing moves it"
        elif one.how in ("assign", "setattr") and _is_kept(model, one):
            message = f"`self.{name}` is computed once and used later, whatever has changed since"
        else:
            continue
        reported.add(name)
        yield model.file.finding("NN206", one.node, message, f"{model.name}.{name}")


def _is_kept(model: ClassModel, one: Assign) -> bool:
    """Whether an attribute is only filled where it is empty or too short, not by each call."""
    tests = [guard.test for guard in one.where.guards]
    known = {one.attribute, *keys_of(model, one)}
    about = [test for test in tests if any(asks_for(test, name) for name in known)]
    if not about or _is_renewed(model, one.attribute):
        return False
    keys = {name for name, value in locals_of(model, one) if mentions(value, "device")}
    if any(isinstance(test, ast.expr) and _compares(test, keys) for test in about):
        return False
    if any(
        other.attribute == one.attribute and other.order > one.order and not other.where.guards
        for other in model.forward_assigns()
    ):
        return False  # each call replaces it
    return not any(mentions(test, "device") and mentions(test, "dtype") for test in about) and not (
        any(mentions(test, "device") for test in about)
        and any(mentions(test, "shape", "size", "numel", "seq_len") for test in about)
    )


def _is_renewed(model: ClassModel, attribute: str) -> bool:
    """Whether a call replaces what it finds there: what it leaves is its result, not a cache."""
    return any(
        _is_there(guard, attribute)
        for one in model.forward_assigns()
        if one.attribute == attribute and any(value.is_tensor for value in one.values)
        for guard in one.where.guards
    )


def _is_there(guard: Guard, attribute: str) -> bool:
    """Whether a condition holds where the attribute is filled already: it is not a cache's."""
    test = guard.test
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return False
    if not mentions(test.left, attribute):
        return False
    last = test.comparators[0]
    if not isinstance(last, ast.Constant) or last.value is not None:
        return False
    return isinstance(test.ops[0], ast.IsNot if guard.holds else ast.Is)


def _compares(test: ast.expr, names: set[str]) -> bool:
    """Whether a condition compares something with one of these names."""
    return any(
        isinstance(part, ast.Compare)
        and isinstance(part.ops[0], ast.NotEq | ast.Eq)
        and any(
            isinstance(one, ast.Name) and one.id in names for one in (part.left, *part.comparators)
        )
        for part in walk(test)
    )


def _has_device_for_key(one: Assign) -> bool:
    """Whether a device is the whole key: there are few, and none is wrong."""
    targets = one.node.targets if isinstance(one.node, ast.Assign) else []
    keys = [target.slice for target in targets if isinstance(target, ast.Subscript)]
    names = [key.attr if isinstance(key, ast.Attribute) else getattr(key, "id", "") for key in keys]
    return bool(names) and all(name == "device" for name in names)
