"""A class as rules see it: its methods and who reaches them, its attributes and what happens."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING

from nnscaffold.check.events import Where
from nnscaffold.check.reader import Reader
from nnscaffold.check.record import Record
from nnscaffold.check.syntax import Function, accessor, assigned, statements
from nnscaffold.check.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Assign, Call
    from nnscaffold.check.file import File
    from nnscaffold.check.index import Index

_CONSTRUCTOR = "__init__"
# Methods whose first argument is a class, without a decorator that says so.
# How many functions of a file's top level are followed for one class.
_FOLLOWED = 40


class ClassModel(Record):
    """One class of a file, which is all that rules of classes are given.

    What its methods do is in the lists of `Record`. What they hold, return and reach is answered by
    the attributes here and by the methods under "What rules ask"; those under "Reading" are for the
    readers of functions.

    Attributes:
        file: The file that it is in.
        index: The classes of the whole tree.
        node: Its definition.
        name: Its name.
        qualified: Its dotted name.
        methods: Its own methods.
        attributes: What each attribute of `self` may hold, once all methods were read.
        deleted: The attributes of `self` that are deleted somewhere.
        on_class: The names that the class's body gives values.
    """

    def __init__(self, file: File, index: Index, node: ast.ClassDef) -> None:
        """Read the methods: the constructor and what it reaches first, `forward` next."""
        super().__init__()
        self.file = file
        self.index = index
        self.node = node
        self.name = file.qualnames[node]
        self.qualified = file.class_names[node]
        self.methods: dict[str, Function] = {}
        for item in statements(node.body):
            if isinstance(item, Function):
                self.methods[accessor(item)] = item
        self.attributes: dict[str, list[Value]] = {}
        self.deleted: set[str] = set()
        self._returns: dict[str, list[Value]] = {}
        self._functions: dict[str, list[Value]] = {}
        self._constants: dict[str, list[Value]] = {}
        self.on_class = {
            target.id
            for statement in statements(node.body)
            for target in assigned(statement)[0]
            if isinstance(target, ast.Name)
        }
        self._inherit()
        for name in (_CONSTRUCTOR, "reset_parameters", "forward", *self.methods):
            if name in self.methods:
                self.run(name, [], {})

    def _inherit(self) -> None:
        """Begin with what the ancestors assign."""
        for attribute, sort in self._inherited_attributes.items():
            self.attributes[attribute] = [self._inherited(sort)]

    def _inherited(self, sort: str) -> Value:
        if sort in ("parameter", "buffer"):
            return Value(sort, registered=True, from_state=sort == "parameter")  # type: ignore[arg-type]
        if sort == "module" or ("." in sort and self.index.is_module(sort)):
            stateful = self.index.stateful(sort) if "." in sort else None
            return Value("module", name=sort, registered=True, stateful=stateful)
        return Value("other")

    # Reading.

    def run(
        self,
        name: str,
        arguments: list[list[Value]],
        keywords: dict[str, list[Value]],
        caller: Where | None = None,
    ) -> list[Value]:
        """What a method returns; it is read where it is first called."""
        if name not in self._returns:
            self._returns[name] = []  # for a method that calls itself
            function = self.methods[name]
            no_grad = (caller is not None and caller.no_grad) or any(
                map(self.file.names.disables_gradients, function.decorator_list)
            )
            where = Where(name, caller.guards if caller else (), no_grad=no_grad)
            reader = Reader(self, function, where=where, own=self.file.names.own_name(function))
            self._returns[name] = reader.run(arguments, keywords)
        return self._returns[name]

    def returns_of(self, function: Function, node: ast.AST, given: list[Value]) -> list[Value]:
        """What a function of the file's top level returns."""
        if function.name not in self._functions:
            self._functions[function.name] = []
            if len(self._functions) < _FOLLOWED:
                reader = Reader(self, function, where=Where(function.name), own="")
                with self.apart():
                    self._functions[function.name] = reader.run()
        made = []
        for value in self._functions[function.name]:
            if value.kind == "argument":
                # `default(x, lambda: 1)` calls what it is given.
                made += [one for one in given if not isinstance(one.node, ast.Lambda)]
            elif value.kind in ("module", "parameter", "tensor"):
                fresh = Value(value.kind, node, name=value.name, stateful=value.stateful)
                fresh.from_state = value.from_state and value.kind == "parameter"
                fresh.from_input = any(one.kind == "argument" or one.from_input for one in given)
                fresh.unwritten = value.unwritten
                fresh.detached = value.detached
                made.append(fresh)
            else:
                made.append(value)
        return made or [Value("other", node, from_input=any(one.from_input for one in given))]

    def constant(self, name: str) -> list[Value]:
        """What a constant of the file's top level holds."""
        if name not in self._constants:
            self._constants[name] = []
            self._constants[name] = self.evaluated(self.file.names.constants[name])
        return self._constants[name]

    def is_property(self, name: str) -> bool:
        """Whether a method is read as an attribute."""
        return any(
            decorator.rpartition(".")[2] in ("property", "cached_property")
            for decorator in self.file.names.decorators(self.methods[name])
        )

    # What rules ask.

    def evaluated(self, node: ast.expr) -> list[Value]:
        """What an expression outside of any function may hold."""
        function = ast.FunctionDef(name="", args=_NO_ARGUMENTS, body=[], decorator_list=[])
        with self.apart():
            return Reader(self, function, where=Where(""), own="").values_of(node)

    def own_name(self, name: str) -> str:
        """What a method calls the module; nothing if it is not a method of instances."""
        return self.file.names.own_name(self.methods[name]) if name in self.methods else ""

    @cached_property
    def all_methods(self) -> dict[str, tuple[str, ...]]:
        """Its methods and those of its ancestors in the tree, with the attributes they read."""
        return self.index.methods(self.qualified)

    def reached_from(self, *starts: str) -> frozenset[str]:
        """The methods that run when these do."""
        found: set[str] = set()
        waiting = [name for name in starts if name in self.all_methods]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(read for read in self.all_methods[name] if read in self.all_methods)
        return frozenset(found)

    @cached_property
    def in_forward(self) -> frozenset[str]:
        """`forward` and the methods that it reaches."""
        return self.reached_from("forward") - {_CONSTRUCTOR}

    @cached_property
    def in_constructor(self) -> frozenset[str]:
        """`__init__` and the methods that it reaches."""
        return self.reached_from(_CONSTRUCTOR)

    @cached_property
    def only_in_constructor(self) -> frozenset[str]:
        """The methods that the constructor reaches and `forward` does not."""
        return self.in_constructor - self.in_forward

    @cached_property
    def after_construction(self) -> frozenset[str]:
        """The methods that the constructor does not reach."""
        return frozenset(self.all_methods) - self.in_constructor

    def forward_calls(self) -> Iterator[Call]:
        """The calls in `forward` and in what it reaches."""
        return (call for call in self.calls if call.where.function in self.in_forward)

    def forward_assigns(self) -> Iterator[Assign]:
        """The assignments in `forward` and in what it reaches."""
        return (one for one in self.assigns if one.where.function in self.in_forward)

    def is_buffer(self, attribute: str) -> bool:
        """Whether an attribute is registered as a buffer anywhere, or may be."""
        return self.inherited(attribute) == "buffer" or any(
            (one.how == "buffer" and one.attribute in (attribute, "*"))
            or (
                one.attribute == attribute
                and one.how == "assign"
                and any(value.kind == "buffer" and value.name for value in one.values)
            )
            for one in self.assigns
        )

    @cached_property
    def _inherited_attributes(self) -> dict[str, str]:
        found: dict[str, str] = {}
        own = self.index.facts(self.qualified)
        for base in own.bases if own else ():
            for attribute, sort in self.index.attributes(base).items():
                found.setdefault(attribute, sort)
        return found

    def inherited(self, attribute: str) -> str:
        """What the ancestors assign to an attribute; nothing if they do not."""
        return self._inherited_attributes.get(attribute, "")

    def overrides(self, *names: str) -> bool:
        """Whether it, or an ancestor in the tree, defines one of these methods."""
        return any(name in self.all_methods for name in names)


_NO_ARGUMENTS = ast.arguments(
    posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[], vararg=None, kwarg=None
)
