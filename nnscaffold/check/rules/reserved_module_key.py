"""NN110: keys under which nothing can be registered."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.keys import problem_of, reserved_keys
from nnscaffold.check.syntax import keyword
from nnscaffold.check.torch_names import REGISTRATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Value


def find(model: ClassModel) -> Iterator[Finding]:
    """NN110: a key that is empty, has a dot, or is an attribute of its container."""
    for (node, key), reserved in _keys(model):
        problem = problem_of(key, reserved)
        if problem:
            yield model.file.finding("NN110", node, f"the key {key!r} {problem}", model.name)


# A place in the file, and the key that is given there.
_Key = tuple[ast.AST, str]


def _keys(model: ClassModel) -> Iterator[tuple[_Key, frozenset[str]]]:
    """The keys that are given, each with those that its container does not take."""
    for call in model.calls:
        node = call.node
        if call.method in REGISTRATIONS:
            own = bool(call.receiver) and call.receiver[0].is_self
            modules = [value.name for value in call.receiver if value.kind == "module"]
            for name in [model.qualified] if own else modules:
                key = node.args[0] if node.args else keyword(node, "name")
                yield from _each(_texts(key), _reserved(model, name))
        elif call.method == "update":
            for name in _dictionaries(model, call.receiver):
                yield from _each(_of_dict(node), _reserved(model, name))
        elif call.name == "torch.nn.ModuleDict":
            yield from _each(_of_dict(node), reserved_keys(call.name))
        elif call.name == "torch.nn.Sequential" and node.args:
            inner = node.args[0]
            if isinstance(inner, ast.Call) and _is_ordered(model, inner):
                yield from _each(_of_dict(inner), reserved_keys(call.name))
    for write in model.writes:
        if write.how == "index":
            for name in _dictionaries(model, write.values):
                yield from _each(_texts(write.key), _reserved(model, name))


def _each(keys: Iterator[_Key], reserved: frozenset[str]) -> Iterator[tuple[_Key, frozenset[str]]]:
    return ((key, reserved) for key in keys)


def _is_ordered(model: ClassModel, node: ast.Call) -> bool:
    return model.file.names.qualified(node.func).endswith("OrderedDict")


def _bases(model: ClassModel, name: str) -> set[str]:
    """A class and all that it inherits from."""
    return {name, *(base for facts in model.index.ancestry(name) for base in facts.bases)}


def _reserved(model: ClassModel, name: str) -> frozenset[str]:
    """The keys that a module of a class does not take, its own methods among them."""
    return reserved_keys(*_bases(model, name)).union(model.index.methods(name))


def _dictionaries(model: ClassModel, values: list[Value]) -> list[str]:
    """The classes of those values that are a `ModuleDict`."""
    modules = [value.name for value in values if value.kind == "module"]
    return [name for name in modules if "torch.nn.ModuleDict" in _bases(model, name)]


def _of_dict(call: ast.Call) -> Iterator[_Key]:
    """The keys of a dictionary, however it is written."""
    for given in call.keywords:
        if given.arg:
            yield given, given.arg
    for argument in call.args[:1]:
        if isinstance(argument, ast.Dict):
            for key in argument.keys:
                yield from _texts(key)
        elif isinstance(argument, ast.List | ast.Tuple):
            for pair in argument.elts:
                if isinstance(pair, ast.Tuple | ast.List) and pair.elts:
                    yield from _texts(pair.elts[0])
        elif isinstance(argument, ast.DictComp):
            yield from _texts(argument.key)
            yield from _iterated(argument.key, argument.generators)
        elif isinstance(argument, ast.Call):
            yield from _of_dict(argument)


def _iterated(key: ast.expr, generators: list[ast.comprehension]) -> Iterator[_Key]:
    """The texts of a display that a comprehension takes its keys from."""
    for generator in generators:
        same = (
            isinstance(key, ast.Name)
            and isinstance(generator.target, ast.Name)
            and generator.target.id == key.id
        )
        if same and isinstance(generator.iter, ast.List | ast.Tuple | ast.Set):
            for element in generator.iter.elts:
                yield from _texts(element)


def _texts(node: ast.expr | None) -> Iterator[_Key]:
    """What a key may be: a constant, or a constant part that has a dot."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node, node.value
    elif isinstance(node, ast.JoinedStr):
        for part in node.values:
            if isinstance(part, ast.Constant) and "." in str(part.value):
                yield node, str(part.value)
    elif isinstance(node, ast.BinOp):
        for part in (node.left, node.right):
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and "." in part.value:
                yield node, part.value
