"""What an expression may hold, as far as the source tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable, Iterator

Kind = Literal[
    "argument",  # of the method or function, nothing else being known of it
    "buffer",
    "class",
    "dict",
    "function",  # a method, or a function of a file's top level
    "lambda",  # one, or a function defined inside another
    "list",
    "module",
    "none",
    "number",
    "other",
    "parameter",
    "set",
    "tensor",
    "text",
    "tuple",
]
CONTAINERS = frozenset({"list", "tuple", "set", "dict"})
# The name of the value that is the module itself. No dotted name is like it.
OWN = "<self>"
# How many ways to what something holds are told apart.
_MOST = 32
TENSORS = frozenset({"tensor", "parameter", "buffer"})


@dataclass(eq=False)
class Value:
    """One thing that an expression may hold. Names that hold the same object share it.

    Attributes:
        kind: What it is.
        node: The expression that makes it.
        name: The dotted name of a class or function, or of the one that was called.
        items: What a container may hold.
        parts: What each place of a tuple may hold, where they are known one by one.
        late: What a container on `self` is given after the module was built.
        makers: The factories that made it on the default device, if it comes of nothing else.
        stateful: Whether a module has parameters or state; None where the source does not tell.
        registered: Whether a module registers it, or everything in it.
        attribute: The attribute of `self` that it was last read from or assigned to.
        argument: The argument that it is, unchanged or as a view: `forward.x`; `forward.x[]` if it
            is in that argument.
        from_input: Whether it is computed from an argument of the method.
        from_state: Whether it is computed from a parameter, so that it has a graph.
        repeated: What puts it into a container several times.
        unwritten: Whether it is memory that nothing has written yet.
        tensor_like: Whether its uses are those of a tensor.
        scalar: Whether it is a tensor without a dimension.
        detached: Whether it has no graph.
        through_data: Whether it is the `.data` of another one, or a view of that.
        source: What it is a view of, or the `.data` of.
    """

    kind: Kind
    node: ast.AST | None = None
    name: str = ""
    items: list[Value] = field(default_factory=list)
    parts: list[list[Value]] = field(default_factory=list)
    late: list[Value] = field(default_factory=list)
    makers: tuple[Value, ...] = ()
    stateful: bool | None = None
    registered: bool = False
    attribute: str = ""
    argument: str = ""
    from_input: bool = False
    from_state: bool = False
    repeated: ast.AST | None = None
    unwritten: bool = False
    tensor_like: bool = False
    scalar: bool = False
    detached: bool = False
    through_data: bool = False
    source: Value | None = None

    def __post_init__(self) -> None:
        """Hold a list of its own: what is put into a container is put into no other."""
        self.items = list(self.items)

    @property
    def is_self(self) -> bool:
        """Whether it is the module that the method is called on."""
        return self.kind == "other" and self.name == OWN

    @property
    def is_tensor(self) -> bool:
        """Whether it is known to be a tensor."""
        return self.kind in TENSORS or self.tensor_like

    @property
    def held(self) -> list[Value]:
        """What a container may hold, whenever it is put there."""
        return [*self.items, *self.late]

    @property
    def has_graph(self) -> bool:
        """Whether it is a tensor that autograd keeps a graph for, or may."""
        if not self.is_tensor or self.detached or self.kind == "buffer":
            return False
        learns = self.kind == "parameter" or self.from_state
        return learns or self.from_input or bool(self.argument)


def holding(kind: Kind, node: ast.AST, items: list[Value]) -> Value:
    """A container of some values, which is computed from what they are computed from."""
    return Value(
        kind,
        node,
        items=items,
        from_input=any(item.from_input for item in items),
        from_state=any(item.from_state for item in items),
    )


def computed(kind: Kind, node: ast.AST | None, found: list[Value]) -> Value:
    """A value that is computed from others."""
    made = Value(kind, node)
    for value in found:
        if value.kind in ("number", "text", "none", "class"):
            continue
        if value.kind == "argument" or value.from_input or value.argument:
            made.from_input = True
        if value.detached:
            continue
        if value.kind == "parameter" or value.from_state:
            made.from_state = True
    tensors = [value for value in found if value.is_tensor]
    made.detached = bool(tensors) and not any(value.has_graph for value in tensors)
    return made


def few(values: list[Value]) -> list[Value]:
    """The first of some values: branches double what a name may hold, one after the other."""
    return values[:_MOST]


def origin(value: Value) -> Value:
    """What a view is a view of."""
    while value.source is not None:
        value = value.source
    return value


def contained(values: Iterable[Value], *, depth: int = 3) -> Iterator[Value]:
    """What containers hold, those inside them included."""
    for value in values:
        if value.kind in CONTAINERS and depth:
            for item in value.items:
                if item.kind in CONTAINERS:
                    yield from contained([item], depth=depth - 1)
                else:
                    yield item


def register(value: Value, *, depth: int = 3) -> None:
    """Note that a module registers it."""
    value.registered = True
    if depth:
        for item in value.items:
            register(item, depth=depth - 1)


def attach(written: Iterable[Value], values: Iterable[Value]) -> None:
    """Note that tensors take over the graph of what is written into them."""
    if any(
        not one.detached and (one.from_input or one.from_state or one.argument) for one in values
    ):
        for one in written:
            if one.is_tensor and not one.through_data:
                one.detached = False
