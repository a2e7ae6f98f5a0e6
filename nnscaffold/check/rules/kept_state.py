"""NN202, NN203, NN206 and NN207: what `forward` leaves on the module."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.rules.asking import flat, mentions
from nnscaffold.check.values import CONTAINERS, origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Assign, Guard, Read
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Value

_CACHES = frozenset({"functools.lru_cache", "functools.cache"})


def find_graphs(model: ClassModel) -> Iterator[Finding]:
    """NN202: `forward` keeps a tensor with its graph, or a collection that grows."""
    yield from _find_written_graphs(model)
    cleared = _cleared(model)
    reported: set[str] = set()
    for one in model.forward_assigns():
        name = one.attribute
        if name in cleared or name in reported or model.is_buffer(name) or name.startswith("__"):
            continue
        values = list(flat(one.values))
        if one.how in ("grow", "item") and not _caches_by_key(model, one):
            kept = [value for value in values if value.is_tensor or value.from_input]
            if _is_fresh(model, one) or model.inherited(name) == "list":
                continue  # an ancestor may empty it
            grows = one.how == "grow" and (
                any(value.is_tensor for value in kept) or _only_grows(model, name)
            )
            if not grows and not any(_holds_graph(value) for value in kept):
                continue
            if not any(value.kind in CONTAINERS for value in model.attributes.get(name, ())):
                continue
            message = f"`{one.where.function}` adds to `self.{name}` at each call, so memory grows"
        elif one.how in ("assign", "setattr", "in-place"):
            if one.where.no_grad or not any(_holds_graph(value) for value in values):
                continue
            if _is_moved(one.value, name):
                continue
            held = model.attributes.get(name, ())
            if one.how == "in-place" and any(value.is_tensor for value in held):
                continue
            message = f"`{one.where.function}` keeps `self.{name}` with its graph"
        else:
            continue
        reported.add(name)
        yield model.file.finding("NN202", one.node, message, f"{model.name}.{name}")


def _holds_graph(value: Value) -> bool:
    """Whether keeping it keeps a graph; that of a parameter alone is nothing."""
    # A dictionary of inputs holds what the caller keeps anyway.
    return value.has_graph and value.kind != "parameter" and not value.argument.endswith("[]")


def _find_written_graphs(model: ClassModel) -> Iterator[Finding]:
    """A buffer that is updated in place with what has a graph has one from then on."""
    for write in model.writes:
        if write.where.function not in model.in_forward or write.where.no_grad:
            continue
        name = next((v.attribute for v in map(origin, write.values) if v.kind == "buffer"), "")
        if name and any(_holds_graph(value) for value in write.given):
            message = f"`{write.where.function}` writes a tensor with its graph into `self.{name}`"
            yield model.file.finding("NN202", write.node, message, f"{model.name}.{name}")


def _is_moved(node: ast.expr | None, attribute: str) -> bool:
    """Whether what an attribute holds is only brought to a device or dtype."""
    if isinstance(node, ast.ListComp) and len(node.generators) == 1:
        each = node.generators[0]
        same = isinstance(each.iter, ast.Attribute) and each.iter.attr == attribute
        return same and _moves(node.elt) is not None
    moved = _moves(node)
    return isinstance(moved, ast.Attribute) and moved.attr == attribute


def _moves(node: ast.expr | None) -> ast.expr | None:
    """What a conversion converts; None where it is none."""
    called = node.func if isinstance(node, ast.Call) else None
    moves = isinstance(called, ast.Attribute) and called.attr in ("to", "cuda", "cpu", "type_as")
    return called.value if moves and isinstance(called, ast.Attribute) else None


def _is_fresh(model: ClassModel, one: Assign) -> bool:
    """Whether the same call has put another collection in its place before, on every way to it."""
    earlier = [
        other
        for other in model.assigns
        if other.attribute == one.attribute
        and other.how == "assign"
        and other.where.function == one.where.function
        and other.order < one.order
        and not any(_names(guard.test, one.attribute) for guard in other.where.guards)
    ]
    ways = {
        frozenset(guard for guard in other.where.guards if guard not in one.where.guards)
        for other in earlier
    }
    tests = {(guard.test, guard.holds) for way in ways if len(way) == 1 for guard in way}
    return frozenset() in ways or any((test, not holds) in tests for test, holds in tests)


def _cleared(model: ClassModel) -> set[str]:
    """The attributes that the same call empties again, or begins with."""
    found = set(model.deleted)
    assigned = [one for one in model.forward_assigns() if one.how == "assign"]
    for one in assigned:
        if one.where.guards or not one.values:
            continue
        last = not any(
            other.attribute == one.attribute
            and other.order > one.order
            # What `forward` reaches through its ancestors has run when it ends.
            and (one.where.function != "forward" or other.where.function == "forward")
            for other in assigned
        )
        is_none = all(value.kind == "none" for value in one.values)
        is_fresh = all(value.kind in ("list", "dict") for value in one.values)
        if (is_none and last) or (is_fresh and isinstance(one.value, ast.List | ast.Dict)):
            found.add(one.attribute)
    for call in model.forward_calls():
        target = call.node.func.value if isinstance(call.node.func, ast.Attribute) else None
        if call.method in ("clear", "pop", "popleft") and isinstance(target, ast.Attribute):
            found.add(target.attr)
    return found


def find_rebound(model: ClassModel) -> Iterator[Finding]:
    """NN203: `forward` puts another tensor in the place of a buffer."""
    for one in model.forward_assigns():
        if one.how not in ("assign", "setattr") or not model.is_buffer(one.attribute):
            continue
        if _registered_as_none(model, one.attribute) and not any(
            _holds_graph(value) for value in one.values
        ):
            continue
        if any(value.kind == "none" for value in one.values):
            continue
        message = (
            f"`{one.where.function}` puts another tensor in the place of `self.{one.attribute}`"
        )
        yield model.file.finding("NN203", one.node, message, f"{model.name}.{one.attribute}")


def _registered_as_none(model: ClassModel, attribute: str) -> bool:
    registrations = [
        one for one in model.assigns if one.how == "buffer" and one.attribute == attribute
    ]
    return bool(registrations) and all(
        any(value.kind == "none" for value in one.values) for one in registrations
    )


def find_caches(model: ClassModel) -> Iterator[Finding]:
    """NN206: what a call computed is used by the next, whatever has changed since."""
    for name, function in model.methods.items():
        for decorator in function.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if model.file.names.qualified(called) not in _CACHES or name not in model.in_forward:
                continue
            bound = bool(function.args.args) and function.args.args[0].arg in ("self", "cls")
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
        if not tensors or any(_holds_graph(value) and not one.where.no_grad for value in tensors):
            continue
        if one.how == "item" and _caches_by_key(model, one) and not _has_device_for_key(one):
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
    known = {one.attribute, *_keys_of(model, one)}
    about = [test for test in tests if any(_names(test, name) for name in known)]
    if not about or _is_renewed(model, one.attribute):
        return False
    keys = {name for name, value in _locals(model, one) if mentions(value, "device")}
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


def _keys_of(model: ClassModel, one: Assign) -> set[str]:
    """The attributes that say for what a cache was filled: they change where it does."""
    return {
        other.attribute
        for other in model.forward_assigns()
        if other.how == "assign"
        and other.where.guards == one.where.guards
        and not any(value.is_tensor for value in other.values)
    }


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
        for part in ast.walk(test)
    )


def _names(test: ast.expr, attribute: str) -> bool:
    """Whether a condition asks for an attribute: `self.x is None`, `hasattr(self, "x")`."""
    return any(
        (isinstance(part, ast.Constant) and part.value == attribute)
        or (isinstance(part, ast.Attribute) and part.attr == attribute)
        for part in ast.walk(test)
    )


def _caches_by_key(model: ClassModel, one: Assign) -> bool:
    """Whether an item is set only where its key is missing."""
    found = {name for name, value in _locals(model, one) if _gets(value, one.attribute)}
    return one.how == "item" and any(
        isinstance(part, ast.Compare)
        and isinstance(part.ops[0], ast.NotIn | ast.In | ast.Is | ast.IsNot)
        and mentions(part, one.attribute, *found)
        for guard in one.where.guards
        for part in ast.walk(guard.test)
    )


def _has_device_for_key(one: Assign) -> bool:
    """Whether a device is the whole key: there are few, and none is wrong."""
    targets = one.node.targets if isinstance(one.node, ast.Assign) else []
    keys = [target.slice for target in targets if isinstance(target, ast.Subscript)]
    names = [key.attr if isinstance(key, ast.Attribute) else getattr(key, "id", "") for key in keys]
    return bool(names) and all(name == "device" for name in names)


def _gets(value: ast.expr, attribute: str) -> bool:
    """Whether it is `self.attribute.get(key)`."""
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr == "get"
        and mentions(value.func.value, attribute)
    )


def _locals(model: ClassModel, one: Assign) -> Iterator[tuple[str, ast.expr]]:
    """The names that the method of an assignment gives to something."""
    function = model.methods.get(one.where.function)
    for node in ast.walk(function) if function is not None else ():
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value


def find_untracked(model: ClassModel) -> Iterator[Finding]:
    """NN207: `forward` changes a number, flag or list of `self` that it also reads."""
    reported: set[str] = set()
    # What says for what a cache was filled is a part of the cache.
    for one in model.forward_assigns():
        if one.how == "assign" and any(value.is_tensor for value in one.values):
            reported |= _keys_of(model, one) if one.where.guards else set()
    for one in model.forward_assigns():
        name = one.attribute
        if name in reported or not _is_number(model, one) or model.is_buffer(name):
            continue
        if one.how == "grow" and (model.inherited(name) or not _is_looked_at(model, one)):
            continue  # an ancestor may empty it
        if "warn" in name:  # says something once, which is nobody's result
            continue
        if (
            one.how == "assign"
            and not _read_before(model, one)
            and not (one.where.guards and _is_read(model, name))
        ):
            continue
        reported.add(name)
        message = (
            f"`{one.where.function}` changes `self.{name}`, which is not saved with the module"
        )
        yield model.file.finding("NN207", one.node, message, f"{model.name}.{name}")


def _is_number(model: ClassModel, one: Assign) -> bool:
    """Whether the constructor makes it a number, a flag or a list, and `forward` another one."""
    before = [
        value
        for other in model.assigns
        if other.attribute == one.attribute
        and other.how == "assign"
        and other.where.function not in model.in_forward
        for value in other.values
    ]
    if one.how == "grow":
        lists = (
            bool(before)
            and not _only_grows(model, one.attribute)
            and all(value.kind == "list" for value in before)
        )
        return lists and not any(v.is_tensor or v.kind == "module" for v in flat(one.values))
    if one.how not in ("assign", "in-place"):
        return False
    if any(value.is_tensor or value.kind in ("none", "text", "module") for value in one.values):
        return False
    if isinstance(one.node, ast.AugAssign) and isinstance(one.node.target, ast.Subscript):
        items = list(flat(before))
        return bool(items) and all(value.kind == "number" for value in items)
    if one.how == "assign" and any(value.kind == "argument" for value in before):
        # A setting of the constructor, which becomes another one.
        return all(value.kind == "number" for value in one.values)
    return bool(before) and all(value.kind == "number" for value in before)


def _only_grows(model: ClassModel, name: str) -> bool:
    """Whether a list of `self` is never read but to put something into it."""
    grown = sum(one.attribute == name and one.how == "grow" for one in model.assigns)
    return sum(read.attribute == name for read in model.reads) <= grown


def _is_read(model: ClassModel, name: str) -> bool:
    """Whether a call may read what it has not assigned itself just before."""
    return any(
        read.attribute == name
        and read.where.function in model.in_forward
        and not _is_of_this_call(model, read)
        for read in model.reads
    )


def _is_looked_at(model: ClassModel, one: Assign) -> bool:
    """Whether `forward` reads a list otherwise than to add to it."""
    function = one.node.func if isinstance(one.node, ast.Call) else None
    grown = function.value if isinstance(function, ast.Attribute) else None
    return any(
        read.attribute == one.attribute
        and read.where.function in model.in_forward
        and read.node is not grown
        for read in model.reads
    )


def _is_of_this_call(model: ClassModel, read: Read) -> bool:
    """Whether the same method has assigned what is read, on every way to it."""
    return any(
        one.attribute == read.attribute
        and one.how == "assign"
        and one.where.function == read.where.function
        and one.order < read.order
        and {*one.where.guards} <= {*read.where.guards}
        for one in model.assigns
    )


def _read_before(model: ClassModel, one: Assign) -> bool:
    """Whether a call reads what an earlier call left."""
    return any(
        read.attribute == one.attribute
        and read.order < one.order
        and read.where.function in model.in_forward
        and not _is_of_this_call(model, read)
        for read in model.reads
    )
