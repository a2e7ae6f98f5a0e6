"""NN110: keys under which nothing can be registered."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.keys import problem_of
from nnscaffold.check.torch_names import DICT_KEYS, RESERVED_KEYS, SEQUENTIAL_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel

_REGISTER = ("add_module", "register_module", "register_buffer", "register_parameter")


def find(model: ClassModel) -> Iterator[Finding]:
    """NN110: a key that is empty, has a dot, or is an attribute of its container."""
    for node, key, reserved in _keys(model):
        problem = problem_of(key, reserved)
        if problem:
            yield model.file.finding("NN110", node, f"the key {key!r} {problem}", model.name)


def _keys(model: ClassModel) -> Iterator[tuple[ast.AST, str, frozenset[str]]]:
    for call in model.calls:
        node = call.node
        if call.method in _REGISTER and node.args:
            own = bool(call.receiver) and call.receiver[0].name == "self"
            module = any(value.kind == "module" for value in call.receiver)
            if own or module:
                reserved = RESERVED_KEYS | (frozenset(model.methods) if own else frozenset())
                for at, key in _texts(model, node.args[0]):
                    yield at, key, reserved
        elif (
            call.method == "update"
            and any(value.name == "torch.nn.ModuleDict" for value in call.receiver)
        ) or call.name == "torch.nn.ModuleDict":
            yield from _of_dict(model, node, RESERVED_KEYS | DICT_KEYS)
        elif call.name == "torch.nn.Sequential" and node.args:
            inner = node.args[0]
            if isinstance(inner, ast.Call) and model.file.names.qualified(inner.func).endswith(
                "OrderedDict"
            ):
                yield from _of_dict(model, inner, RESERVED_KEYS | SEQUENTIAL_KEYS)
    for one in model.assigns:
        if one.how == "item" and isinstance(one.node, ast.Assign):
            held = model.attributes.get(one.attribute, [])
            if any(value.name == "torch.nn.ModuleDict" for value in held):
                for target in one.node.targets:
                    if isinstance(target, ast.Subscript):
                        for at, key in _texts(model, target.slice):
                            yield at, key, RESERVED_KEYS | DICT_KEYS


def _of_dict(
    model: ClassModel, call: ast.Call, reserved: frozenset[str]
) -> Iterator[tuple[ast.AST, str, frozenset[str]]]:
    """The keys of a dictionary, however it is written."""
    for keyword in call.keywords:
        if keyword.arg:
            yield keyword, keyword.arg, reserved
    for argument in call.args[:1]:
        if isinstance(argument, ast.Dict):
            for key in argument.keys:
                for at, text in _texts(model, key):
                    yield at, text, reserved
        elif isinstance(argument, ast.List | ast.Tuple):
            for pair in argument.elts:
                if isinstance(pair, ast.Tuple | ast.List) and pair.elts:
                    for at, text in _texts(model, pair.elts[0]):
                        yield at, text, reserved
        elif isinstance(argument, ast.DictComp):
            for at, text in _texts(model, argument.key):
                yield at, text, reserved
            yield from _iterated(model, argument.key, argument.generators, reserved)
        elif isinstance(argument, ast.Call):
            yield from _of_dict(model, argument, reserved)


def _iterated(
    model: ClassModel,
    key: ast.expr,
    generators: list[ast.comprehension],
    reserved: frozenset[str],
) -> Iterator[tuple[ast.AST, str, frozenset[str]]]:
    """The texts of a display that a comprehension takes its keys from."""
    for generator in generators:
        same = (
            isinstance(key, ast.Name)
            and isinstance(generator.target, ast.Name)
            and generator.target.id == key.id
        )
        if same and isinstance(generator.iter, ast.List | ast.Tuple | ast.Set):
            for element in generator.iter.elts:
                for at, text in _texts(model, element):
                    yield at, text, reserved


def _texts(model: ClassModel, node: ast.expr | None) -> Iterator[tuple[ast.AST, str]]:
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
