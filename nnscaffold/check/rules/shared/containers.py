"""Modules and parameters in plain containers: what NN103 and NN104 share."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.finding import Edit, Fix
from nnscaffold.check.rules.shared.keys import problem_of, reserved_keys
from nnscaffold.check.syntax import last_name
from nnscaffold.check.values import CONTAINERS, contained

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Assign
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Value

_FATES = {
    "module": "they are not moved, trained or saved",
    "parameter": "no optimizer sees them, and they are not saved",
}
# What lists and dictionaries can do, and `ModuleList` and `ModuleDict` cannot.
_UNKNOWN_TO_LISTS = frozenset({"remove", "sort", "reverse", "index", "count", "copy", "clear"})
_UNKNOWN_TO_DICTS = frozenset({"get", "setdefault", "popitem", "copy", "fromkeys"})
# Containers and iterators, by the names of what makes them.
_PLAIN = frozenset({"OrderedDict", "defaultdict", "deque", "frozenset"})
_ITERATORS = frozenset({"filter", "iter", "map", "reversed", "zip"})
# Functions that only go through what they are given.
_ITERATING = frozenset(
    {
        *("len", "enumerate", "zip", "list", "tuple", "iter", "reversed", "map", "filter", "any"),
        *("all", "range", "ModuleList", "Sequential", "ParameterList", "append", "extend", "print"),
    }
)


def find_in_containers(model: ClassModel, code: str, kind: str) -> Iterator[Finding]:
    """The modules or the parameters (`kind`) in plain containers on `self`."""
    reported: set[str] = set()
    for one in model.assigns:
        if one.where.function in model.in_forward or one.attribute in model.deleted:
            continue
        if one.attribute in reported or one.attribute.startswith("__"):
            continue
        if not _is_plain(model, one, kind):
            continue
        reported.add(one.attribute)
        message = f"`self.{one.attribute}` keeps {kind}s in {_container_of(one)}: {_FATES[kind]}"
        fix = _fix(model, one, kind) if one.how == "assign" else None
        yield model.file.finding(code, one.node, message, f"{model.name}.{one.attribute}", fix)


def _is_plain(model: ClassModel, one: Assign, kind: str) -> bool:
    """Whether an assignment leaves unregistered modules or parameters in a container."""
    if one.how in ("grow", "item"):
        # The container was made by an ancestor; one of this class is reported where it is made.
        if any(
            other.attribute == one.attribute and other.how == "assign" for other in model.assigns
        ):
            return False
        if model.inherited(one.attribute) != "list":
            return False
        return any(_counts(value, kind) for value in one.values)
    if one.how != "assign":
        return False
    held = [value for value in one.values if value.kind in CONTAINERS]
    if not held or any(value.registered for value in held):
        return False
    return any(_counts(value, kind) for value in contained(held))


def _counts(value: Value, kind: str) -> bool:
    if value.kind != kind or value.registered:
        return False
    if value.argument:
        # One that the caller owns: a list around a single one hides it on purpose.
        return isinstance(value.node, ast.expr) and not isinstance(value.node, ast.arg)
    if kind == "module":
        return value.stateful is not False or value.name.endswith(("Dropout", "Sequential"))
    return True


def _container_of(one: Assign) -> str:
    """What keeps them, in words: `a plain dict`, `a generator`."""
    for value in one.values:
        if isinstance(value.node, ast.GeneratorExp):
            return "a generator"
        called = last_name(value.node.func) if isinstance(value.node, ast.Call) else ""
        if called in _ITERATORS:
            return "an iterator"
        if value.kind in CONTAINERS:
            named = called if called in _PLAIN else value.name.rpartition(".")[2]
            return f"a plain {named or value.kind}"
    return "a plain list" if one.how == "grow" else "a plain dict"


def _fix(model: ClassModel, one: Assign, kind: str) -> Fix | None:
    """Wrap what is assigned, where the registered container can do all that is asked of it."""
    held = [value for value in one.values if value.kind in CONTAINERS]
    if len(one.values) != 1 or one.value is None or _is_used_otherwise(model, one):
        return None
    (value,) = held
    items = value.items
    same = all(item.kind == kind or item.kind == "none" for item in items)
    if not same or value.kind == "set" or value.name or any(item.kind == "none" for item in items):
        return None
    lists = {"module": "ModuleList", "parameter": "ParameterList"}
    dicts = {"module": "ModuleDict", "parameter": "ParameterDict"}
    if value.kind == "dict":
        name = f"torch.nn.{dicts[kind]}"
        if not _has_text_keys(model, one, one.value, reserved_keys(name)):
            return None
    else:
        name = f"torch.nn.{lists[kind]}"
    file = model.file
    spelled, imports = file.spelled(name)
    text = file.text_of(one.value)
    if isinstance(one.value, ast.Tuple) and not text.startswith("("):
        # A comma too many: `self.conv = nn.Conv1d(1, 1, 1),`.
        text = f"[{text.rstrip().removesuffix(',')}]"
        edits: tuple[Edit, ...] = (file.replace(one.value, f"{spelled}({text})"),)
    elif isinstance(one.value, ast.List | ast.Dict) and not ast.unparse(one.value).strip("[]{}"):
        edits = (file.replace(one.value, f"{spelled}()"),)
    else:
        edits = (file.before(one.value, f"{spelled}("), file.after(one.value, ")"))
    summary = f"Keep them in `{spelled}`"
    return Fix(summary, (*edits, *imports), (f"{one.attribute}.*",))


def _meets_strangers(model: ClassModel, name: str) -> bool:
    """Whether the file does with it what only a plain container can do: `self.x + [...]`."""
    for node in model.file.nodes:
        operands: list[ast.expr] = []
        if isinstance(node, ast.BinOp):
            operands = [node.left, node.right]
        elif isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and last_name(node.func) not in _ITERATING:
            operands = [*node.args, *(keyword.value for keyword in node.keywords)]
        for operand in operands:
            while isinstance(operand, ast.Subscript) and isinstance(operand.slice, ast.Slice):
                operand = operand.value
            if isinstance(operand, ast.Attribute) and operand.attr == name:
                return True
    return False


def _is_used_otherwise(model: ClassModel, one: Assign) -> bool:
    """Whether something is done to the container that a registered one cannot do."""
    if _meets_strangers(model, one.attribute) or one.attribute in model.on_class:
        return True
    for other in model.assigns:
        if other.attribute == one.attribute and other is not one and other.how == "assign":
            return True
    local = one.value.id if isinstance(one.value, ast.Name) else ""
    for call in model.calls:
        function = call.node.func
        if not isinstance(function, ast.Attribute):
            continue
        target = function.value
        own = isinstance(target, ast.Attribute) and target.attr == one.attribute
        if own and call.method in _UNKNOWN_TO_LISTS | _UNKNOWN_TO_DICTS:
            return True
        # What the local name is given later, the wrapped copy does not get.
        later = call.node.lineno > one.node.lineno
        if local and later and isinstance(target, ast.Name) and target.id == local:
            return True
    return False


def _has_text_keys(
    model: ClassModel, one: Assign, value: ast.expr, reserved: frozenset[str]
) -> bool:
    """Whether all keys of a dictionary are texts under which something can be registered."""
    keys: list[ast.expr | None] = []
    if isinstance(value, ast.Dict):
        keys += value.keys
    elif isinstance(value, ast.DictComp):
        keys.append(value.key)
    else:
        return False
    for write in model.writes:
        node = write.node
        if write.how == "index" and isinstance(node, ast.Assign):
            keys += [
                target.slice
                for target in node.targets
                if isinstance(target, ast.Subscript)
                and isinstance(target.value, ast.Attribute)
                and target.value.attr == one.attribute
            ]
    return all(_is_key(key, reserved) for key in keys)


def _is_key(key: ast.expr | None, reserved: frozenset[str]) -> bool:
    if isinstance(key, ast.Constant):
        text = key.value
        return isinstance(text, str) and not problem_of(text, reserved)
    if isinstance(key, ast.JoinedStr):
        return "." not in "".join(
            str(part.value) for part in key.values if isinstance(part, ast.Constant)
        )
    return isinstance(key, ast.Call) and isinstance(key.func, ast.Name) and key.func.id == "str"
