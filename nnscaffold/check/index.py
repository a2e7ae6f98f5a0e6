"""The classes of a tree of files: which are modules, what they inherit, which have state."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nnscaffold.check.syntax import (
    Function,
    accessor,
    assigned,
    attribute_of,
    first_parameter,
    last_name,
    positional,
    statements,
    text_of,
    walk,
)
from nnscaffold.check.torch_names import (
    BUFFERS,
    DROPOUTS,
    MODULE_ROOTS,
    PARAMETERS,
    REGISTRATIONS,
    STATEFUL_MODULES,
    STATELESS_MODULES,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nnscaffold.check.file import File
    from nnscaffold.check.names import Names

# Packages of which classes that are inherited are taken for modules.
_PACKAGES_OF_MODULES = ("torchvision.models.", "torchvision.ops.", "timm.models.", "timm.layers.")
_STATE_OF_TORCH = {
    **dict.fromkeys(STATEFUL_MODULES, True),
    **dict.fromkeys((*STATELESS_MODULES, *DROPOUTS, "torch.nn.Module"), False),
}
_NO_MODULES = frozenset({"torch.nn.Parameter", "torch.nn.Buffer", *PARAMETERS, *BUFFERS})


@dataclass(frozen=True)
class ClassFacts:
    """What others need to know of a class.

    Attributes:
        name: Its dotted name.
        bases: Those of its bases.
        methods: Its methods, each with the attributes of `self` that it reads.
        attributes: What is assigned to attributes of `self`: `parameter`, `buffer`, `list`,
            `other`, or the dotted name of what is called.
        initialises: Whether its constructor calls another one.
        required: How many arguments its constructor needs; -1 where it has none of its own.
        is_record: Whether it is a dataclass or a named tuple, which only holds what it is given.
    """

    name: str
    bases: tuple[str, ...] = ()
    methods: dict[str, tuple[str, ...]] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    initialises: bool = False
    is_record: bool = False
    required: int = -1


@dataclass(frozen=True)
class Summary:
    """What other files need to know of one.

    Attributes:
        module: Its dotted name.
        imported: The names that it imports, with what they stand for.
        stars: The modules of which it imports everything.
        classes: Its classes, those inside others too.
        read: The attributes that it reads of anything but `self`.
    """

    module: str
    imported: dict[str, str] = field(default_factory=dict)
    stars: tuple[str, ...] = ()
    classes: tuple[ClassFacts, ...] = ()
    read: tuple[str, ...] = ()


def summarise(file: File) -> Summary:
    """Take from a file what others need to know of it."""
    names = file.names
    classes = tuple(_facts_of(names, node, file.class_names[node]) for node in file.classes)
    read = {
        node.attr
        for node in file.nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "torch", "nn", "F"))
    }
    stars, read_names = tuple(names.stars), tuple(sorted(read))
    return Summary(names.module, dict(names.imported), stars, classes, read_names)


def _facts_of(names: Names, node: ast.ClassDef, qualified: str) -> ClassFacts:
    bases = tuple(name for base in node.bases if (name := names.qualified(_plain(base))))
    methods: dict[str, tuple[str, ...]] = {}
    attributes: dict[str, str] = {}
    initialises = False
    required = -1
    for item in statements(node.body):
        if isinstance(item, Function):
            name = accessor(item)  # which several branches may define
            reads = {*methods.get(name, ()), *_read_method(names, item, attributes)}
            methods[name] = tuple(sorted(reads))
            if item.name == "__init__":
                required = len(positional(item)) - 1 - len(item.args.defaults)
                required += sum(default is None for default in item.args.kw_defaults)
                initialises = any(
                    isinstance(part, ast.Call) and last_name(part.func) == "__init__"
                    for part in walk(item)
                )
    is_record = "typing.NamedTuple" in bases or any(
        decorator.rpartition(".")[2] == "dataclass" for decorator in names.decorators(node)
    )
    return ClassFacts(qualified, bases, methods, attributes, initialises, is_record, required)


def _plain(base: ast.expr) -> ast.expr:
    """A base without its type arguments: `Generic[T]`."""
    return base.value if isinstance(base, ast.Subscript) else base


def _read_method(names: Names, method: Function, attributes: dict[str, str]) -> set[str]:
    """The attributes of `self` that a method reads; it adds those that it assigns."""
    own = first_parameter(method)
    reads: set[str] = set()
    for node in walk(method):
        if isinstance(node, ast.Attribute):
            if isinstance(node.ctx, ast.Load | ast.Del) and attribute_of(node, own):
                reads.add(node.attr)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets, value = assigned(node)
            for target in targets:
                attribute = attribute_of(target, own)
                if attribute and value is not None:
                    _note(attributes, attribute, _sort_of(names, value))
        elif isinstance(node, ast.Call):
            sort = REGISTRATIONS.get(attribute_of(node.func, own))
            if sort:
                name = text_of(node.args[0]) if node.args else None
                _note(attributes, "*" if name is None else name, sort)
    return reads


def _note(attributes: dict[str, str], name: str, sort: str) -> None:
    """Keep what says most: a module says more than the None that it replaces."""
    if attributes.get(name, "other") == "other":
        attributes[name] = sort


def _sort_of(names: Names, value: ast.expr) -> str:
    if isinstance(value, ast.IfExp):
        first = _sort_of(names, value.body)
        return first if first != "other" else _sort_of(names, value.orelse)
    if isinstance(value, ast.Call):
        name = names.qualified(value.func)
        if name in PARAMETERS:
            return "parameter"
        return "buffer" if name in BUFFERS else name or "other"
    return "list" if isinstance(value, ast.List | ast.ListComp) else "other"


class Index:
    """The summaries of a tree.

    Args:
        summaries: One of each file.
        roots: Dotted names of further classes whose subclasses are modules.

    Attributes:
        attributes_read: The attributes that the tree reads of anything but `self`.
        digest: Changes with whatever findings of a file depend on besides its own text.
    """

    def __init__(self, summaries: Iterable[Summary], roots: Iterable[str] = ()) -> None:
        """Put the summaries together."""
        self._roots = MODULE_ROOTS | frozenset(roots)
        self._files: dict[str, Summary] = {}
        self._classes: dict[str, ClassFacts] = {}
        self._module: dict[str, bool] = {}
        self._stateful: dict[str, bool | None] = {}
        self._subclasses: dict[str, list[str]] | None = None
        self.attributes_read: set[str] = set()
        digest = hashlib.sha256(repr(sorted(self._roots)).encode())
        for summary in sorted(summaries, key=lambda one: one.module):
            self._files.setdefault(summary.module, summary)
            for facts in summary.classes:
                self._classes.setdefault(facts.name, facts)
            self.attributes_read.update(summary.read)
            digest.update(repr(summary).encode())
        self._packages = {module.partition(".")[0] for module in self._files}
        self.digest = digest.hexdigest()

    def resolve(self, name: str) -> str:
        """The name under which a class is defined, through imports that pass it on."""
        for _ in range(8):
            if name in self._classes or name.startswith("torch."):
                return name
            owner, _, last = name.rpartition(".")
            summary = self._files.get(owner)
            if summary is None:
                return name
            passed_on = summary.imported.get(last)
            if passed_on is None:
                stars = (f"{star}.{last}" for star in summary.stars)
                passed_on = next((star for star in stars if self._is_known(star)), None)
            if passed_on is None or passed_on == name:
                return name
            name = passed_on
        return name

    def _is_known(self, name: str) -> bool:
        owner, _, last = name.rpartition(".")
        summary = self._files.get(owner)
        return name in self._classes or (summary is not None and last in summary.imported)

    def facts(self, name: str) -> ClassFacts | None:
        """What is known of a class; None if the tree does not define it."""
        return self._classes.get(self.resolve(name))

    def ancestry(self, name: str) -> Iterator[ClassFacts]:
        """A class and the classes of the tree that it inherits from, nearest first."""
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            facts = self.facts(waiting.pop(0))
            if facts is not None and facts.name not in seen:
                seen.add(facts.name)
                yield facts
                waiting.extend(facts.bases)

    def is_module(self, name: str) -> bool:
        """Whether a class is a subclass of `nn.Module`."""
        name = self.resolve(name)
        if name not in self._module:
            self._module[name] = False  # a class that inherits from itself
            self._module[name] = self._inherits(name)
        return self._module[name]

    def _inherits(self, name: str) -> bool:
        if name in self._roots:
            return True
        facts = self._classes.get(name)
        if facts is not None:
            return any(self.is_module(base) for base in facts.bases)
        owner, _, last = name.rpartition(".")
        if not last.lstrip("_")[:1].isupper() or name in _NO_MODULES:
            return False
        if owner == "torch.nn" or owner.startswith("torch.nn.modules"):
            return True
        if name.partition(".")[0] in self._packages:
            return False  # the tree has the package, and no such class
        if name.startswith("transformers.") and last.endswith(("PreTrainedModel", "Model")):
            return True
        return name.startswith(_PACKAGES_OF_MODULES) and "Weights" not in last

    def stateful(self, name: str) -> bool | None:
        """Whether instances of a module have parameters or buffers; None if unknown."""
        name = self.resolve(name)
        if name not in self._stateful:
            self._stateful[name] = self._has_state(name)
        return self._stateful[name]

    def _has_state(self, name: str) -> bool | None:
        """The answer for one class, from all that it is made of, whatever was asked before."""
        outcome: bool | None = False
        waiting, seen = [name], {name}
        while waiting:
            name = waiting.pop()
            facts = self._classes.get(name)
            if facts is None or name in _STATE_OF_TORCH or name in self._stateful:
                known = _STATE_OF_TORCH.get(name, self._stateful.get(name))
                if known:
                    return True
                outcome = None if known is None else outcome
                continue
            for sort in facts.attributes.values():
                if sort in ("parameter", "buffer"):
                    return True
                if sort in ("module", "list"):
                    outcome = None
            parts = [sort for sort in facts.attributes.values() if "." in sort]
            for part in map(self.resolve, filter(self.is_module, (*parts, *facts.bases))):
                if part not in seen:
                    seen.add(part)
                    waiting.append(part)
        return outcome

    def attributes(self, name: str) -> dict[str, str]:
        """What a class and its ancestors in the tree assign to attributes of `self`."""
        merged: dict[str, str] = {}
        for facts in self.ancestry(name):
            for attribute, sort in facts.attributes.items():
                if merged.get(attribute, "other") == "other":
                    merged[attribute] = sort
        return merged

    def methods(self, name: str) -> dict[str, tuple[str, ...]]:
        """The methods of a class and of its ancestors in the tree, each with what it reads."""
        merged: dict[str, tuple[str, ...]] = {}
        for facts in self.ancestry(name):
            for method, reads in facts.methods.items():
                merged[method] = tuple({*merged.get(method, ()), *reads})
        return merged

    def is_whole(self, name: str) -> bool:
        """Whether the tree defines every ancestor of a class but torch's own."""
        return all(
            self.facts(base) is not None or self.resolve(base).startswith("torch.nn.")
            for facts in self.ancestry(name)
            for base in facts.bases
        )

    def read_in_subclasses(self, name: str) -> frozenset[str]:
        """The attributes of `self` that subclasses of a class read."""
        if self._subclasses is None:
            self._subclasses = {}
            for facts in self._classes.values():
                for base in facts.bases:
                    self._subclasses.setdefault(self.resolve(base), []).append(facts.name)
        read: set[str] = set()
        seen: set[str] = set()
        waiting = [self.resolve(name)]
        while waiting:
            for subclass in self._subclasses.get(waiting.pop(), ()):
                if subclass not in seen:
                    seen.add(subclass)
                    waiting.append(subclass)
                    facts = self._classes[subclass]
                    read.update(*facts.methods.values())
        return frozenset(read)
