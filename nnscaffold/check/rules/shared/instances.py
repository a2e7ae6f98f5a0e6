"""Of which class things are in plain code: scripts, functions, and classes that are not modules.

The methods of modules are read with all that they do (`nnscaffold.check.model`). Of the rest only
this is known: the class of a name, where everything that its scope gives it is of that class.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.annotations import annotated
from nnscaffold.check.syntax import Function, every_parameter, positional, root_name
from nnscaffold.check.torch_names import MODULES, RETURN_THEMSELVES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nnscaffold.check.file import File
    from nnscaffold.check.index import Index

_ANY_MODULE = "torch.nn.Module"
_COPIES = frozenset({"copy.copy", "copy.deepcopy"})


class Scope:
    """The top level of a file, a function or a class's body, without what is inside others.

    Args:
        file: The file.
        index: The classes of the tree.
        body: Its statements.
        name: What a finding in it is about; nothing at the top level.
        names: The class of each name that it sees, as far as it is known; else nothing.

    Attributes:
        name: What a finding in it is about; nothing at the top level.
        nodes: Its statements and expressions, in their order.
        names: The class of each name in it, as far as it is known; else nothing.
    """

    def __init__(
        self, file: File, index: Index, body: list[ast.stmt], name: str, names: dict[str, str]
    ) -> None:
        """Read what it assigns to names."""
        self.name = name
        self.nodes = list(_own_nodes(body))
        self.names = names
        self._file = file
        self._index = index
        for target, value in _bindings(self.nodes):
            if isinstance(value, ast.Constant) and value.value is None:
                continue  # it holds the place of an instance
            found = self._class_of_value(value)
            self.names[target] = self._common(self.names.get(target, found), found)

    def class_of(self, node: ast.expr) -> str:
        """The dotted name of the class that an expression is an instance of; else nothing."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, "")
        if isinstance(node, ast.Attribute):
            owner = self.class_of(node.value)
            held = self._index.attributes(owner).get(node.attr, "") if owner else ""
            return _ANY_MODULE if held == "module" else self._if_class(held)
        if isinstance(node, ast.IfExp):
            return self._common(self.class_of(node.body), self.class_of(node.orelse))
        return self._made_by(node) if isinstance(node, ast.Call) else ""

    def is_module(self, node: ast.expr) -> bool:
        """Whether an expression is known to be an instance of a module."""
        return self._is_module(self.class_of(node))

    def _class_of_value(self, value: ast.expr | ast.AnnAssign | None) -> str:
        if isinstance(value, ast.AnnAssign):
            named = _module_of(value.annotation, self._file, self._index)
            return named or (self.class_of(value.value) if value.value else "")
        return self.class_of(value) if value is not None else ""

    def _made_by(self, call: ast.Call) -> str:
        """The class of what a call returns."""
        function = call.func
        if isinstance(function, ast.Attribute) and function.attr in RETURN_THEMSELVES:
            receiver = self.class_of(function.value)
            if self._is_module(receiver):
                return receiver
        if root_name(function) in self.names:
            return ""  # a variable, whatever the file's top level calls so
        names = self._file.names
        called = names.qualified(function)
        if called in _COPIES and call.args:
            return self.class_of(call.args[0])
        made_by = names.functions.get(called.removeprefix(f"{names.module}."))
        if isinstance(made_by, ast.FunctionDef):
            return _module_of(made_by.returns, self._file, self._index)
        return self._if_class(called)

    def _if_class(self, name: str) -> str:
        known = self._is_module(name) or self._index.facts(name) is not None
        return name if known else ""

    def _is_module(self, name: str) -> bool:
        return bool(name) and (name in MODULES or self._index.is_module(name))

    def _common(self, one: str, other: str) -> str:
        """What an instance of one or the other of two classes is known to be."""
        if one == other:
            return one
        return _ANY_MODULE if self._is_module(one) and self._is_module(other) else ""


def plain_scopes(file: File, index: Index) -> Iterator[Scope]:
    """The scopes of a file that are not inside a module's class."""
    # What functions may give to names of the top level is not known.
    shared = (name for node in file.nodes if isinstance(node, ast.Global) for name in node.names)
    yield from _scopes(file, index, file.tree, dict.fromkeys(shared, ""), None)


def _scopes(
    file: File,
    index: Index,
    node: ast.Module | ast.ClassDef | Function,
    outer: dict[str, str],
    owner: ast.ClassDef | None,
) -> Iterator[Scope]:
    """A node's own scope and those inside it.

    Args:
        file: The file.
        index: The classes of the tree.
        node: What has the scope.
        outer: The names that it sees.
        owner: The class that it is a method of.
    """
    name, given = "", {}
    if isinstance(node, ast.ClassDef):
        name = file.qualnames[node]
    elif isinstance(node, Function):
        name = f"{file.qualnames[owner]}.{node.name}" if owner else node.name
        given = _parameters(file, index, node, owner)
    own = {target for target, _ in _bindings(_own_nodes(node.body))}
    if isinstance(node, ast.Module):
        own, given = set(), {}
    seen = {known: of for known, of in outer.items() if known not in own} | given
    scope = Scope(file, index, node.body, name, seen)
    yield scope
    inside = node if isinstance(node, ast.ClassDef) else None
    for inner in scope.nodes:
        if isinstance(inner, Function):
            # A method does not see the names of the class's body.
            visible = outer if inside else scope.names
            yield from _scopes(file, index, inner, visible, inside)
        elif isinstance(inner, ast.ClassDef) and not index.is_module(file.class_names[inner]):
            yield from _scopes(file, index, inner, scope.names, None)


def _parameters(
    file: File, index: Index, function: Function, owner: ast.ClassDef | None
) -> dict[str, str]:
    """The parameters of a function, each with its class."""
    spec = function.args
    found = dict.fromkeys((one.arg for one in every_parameter(spec)), "")
    for one in (*positional(function), *spec.kwonlyargs):
        found[one.arg] = _module_of(one.annotation, file, index)
    own = file.names.own_name(function) if owner is not None else ""
    if owner is not None and own:
        found[own] = file.class_names[owner]
    return found


def _module_of(annotation: ast.expr | None, file: File, index: Index) -> str:
    """The class of modules that an annotation names; nothing if it names none."""
    value = annotated(annotation, file.names, index)
    return value.name if value is not None and value.kind == "module" else ""


def _own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """What is below some statements, in the order of the text, but inside no function or class."""
    waiting: list[ast.AST] = [*reversed(body)]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, Function | ast.ClassDef):
            waiting.extend(node.decorator_list)
        else:
            waiting.extend(reversed([*ast.iter_child_nodes(node)]))


def _bindings(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr | ast.AnnAssign | None]]:
    """The names that a scope gives something, each with that; None where it is of any kind.

    Names of classes, functions and imports are left out: they mean the same everywhere in a file.
    """
    assigned: set[int] = set()
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    assigned.add(id(target))
                    yield target.id, node if isinstance(node, ast.AnnAssign) else node.value
        elif isinstance(node, ast.Name):
            # A loop's variable, say, or one that a comprehension or `with` binds.
            if not isinstance(node.ctx, ast.Load) and id(node) not in assigned:
                yield node.id, None
        elif isinstance(node, ast.arg):  # of a lambda
            yield node.arg, None
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield from ((name, None) for name in node.names)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name, None
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest, None
