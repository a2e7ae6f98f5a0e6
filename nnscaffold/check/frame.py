"""The state of reading one function, and how what happens in it is noted.

A frame is what the files share that read a function. Each has one job, and imports only those that
stand after it here:

- `reader`: statements, and the parameters of the function;
- `matching` and `targets`: what patterns and assignments bind;
- `expressions`: what expressions may hold, calls apart;
- `calls`: what is called, and with what;
- `named_calls`: what calls of known names return;
- `own_attributes`: what the attributes of `self` hold, and calls of them;
- `methods`: what methods of containers and modules return;
- `tensors`: what functions and methods of tensors return.

To evaluate a part of what it reads, or to bind a name, each asks the frame.
"""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from nnscaffold.check.events import Assign, Decision
from nnscaffold.check.syntax import attribute_under
from nnscaffold.check.values import CONTAINERS, Value, computed, contained, few

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nnscaffold.check.events import How, Where
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Kind


class Frame(ABC):
    """One reading of a function.

    Args:
        model: The class that it is read for, which keeps the events.
        where: The surroundings in which it runs.
        own: The name of `self` in it; nothing if it has none.
        scope: The names of the function around it.

    Attributes:
        scope: What each name of the function may hold.
        branch: How many blocks that may not run are around.
    """

    def __init__(
        self,
        model: ClassModel,
        *,
        where: Where,
        own: str,
        scope: dict[str, list[Value]] | None = None,
    ) -> None:
        """Begin with the names of the function around it."""
        self.model = model
        self.where = where
        self.own = own
        self.scope = dict(scope or {})
        self.branch = 0

    @abstractmethod
    def values_of(self, node: ast.expr | None) -> list[Value]:
        """What an expression may hold; nothing where there is none."""

    @abstractmethod
    def bind(
        self,
        target: ast.expr,
        values: list[Value],
        node: ast.stmt | ast.expr,
        value: ast.expr | None = None,
    ) -> None:
        """Assign to a name, an attribute, an item or several of them.

        Args:
            target: To what.
            values: What may be assigned.
            node: The statement or expression that assigns.
            value: The expression whose value is assigned, where there is one for this target.
        """

    def is_self(self, node: ast.expr) -> bool:
        """Whether an expression is the module itself."""
        return isinstance(node, ast.Name) and bool(self.own) and node.id == self.own

    def is_outside(self, name: str) -> bool:
        """Whether a name is one of the file or of Python, and none of the function's own."""
        return bool(name) and name not in self.scope and name != self.own

    def join(self, *scopes: dict[str, list[Value]]) -> None:
        """Let each name hold what it may hold after any of some blocks."""
        joined: dict[str, list[Value]] = {}
        for scope in scopes:
            for name, values in scope.items():
                known = joined.setdefault(name, values)
                if known is not values:
                    seen = set(map(id, known))
                    joined[name] = few([*known, *(one for one in values if id(one) not in seen)])
        self.scope = joined

    def read_defaults(self, of: ast.arguments) -> None:
        """Evaluate the defaults of parameters, which happens where the function is defined."""
        for default in (*of.defaults, *of.kw_defaults):
            self.values_of(default)

    # Containers.

    def items_of(self, values: Iterable[Value], node: ast.AST) -> list[Value]:
        """What iterating over a value gives."""
        found: list[Value] = []
        for value in values:
            if value.kind in CONTAINERS or (value.kind == "module" and value.items):
                found += value.held
            elif value.is_tensor or value.kind == "argument":
                made = self.derived("tensor" if value.is_tensor else "other", node, [value])
                made.source = value if value.is_tensor else None
                found.append(made)
            else:
                found.append(self.derived("other", node, [value]))
        return found

    def elements_of(self, node: ast.expr) -> list[Value]:
        """What an element or an argument adds: itself, or with a star what it holds."""
        if isinstance(node, ast.Starred):
            return self.items_of(self.values_of(node.value), node)
        return self.values_of(node)

    def put(self, container: Value, items: list[Value]) -> None:
        """Put something into a container: early, or after the module was built."""
        late = container.attribute and self.where.function in self.model.after_construction
        held = container.late if late else container.items
        held[:] = few([*held, *items])
        container.parts = []

    # Notes.

    def note_assign(
        self,
        attribute: str,
        values: list[Value],
        node: ast.stmt | ast.expr,
        value: ast.expr | None,
        how: How,
    ) -> None:
        """Note that something is assigned, registered or put into a container."""
        order = self.model.tick()
        self.model.assigns.append(Assign(attribute, values, node, value, how, self.where, order))

    def note_repeats(
        self, items: list[Value], node: ast.AST | None, at: ast.AST | None = None
    ) -> None:
        """Note what a loop puts into a container again and again, being made outside of it."""
        for item in items:
            made = item.node
            if node is None or made is None or item.kind != "module" or item.registered:
                continue  # what is registered already is only looked up again
            inside = node.lineno <= made.lineno <= node.end_lineno  # type: ignore[attr-defined]
            if not inside and item.repeated is None:
                item.repeated = at or node

    def note_twice(self, elements: list[ast.expr], node: ast.AST) -> None:
        """Note the modules whose name stands twice among some elements."""
        seen: set[str] = set()
        for element in elements:
            name = element.id if isinstance(element, ast.Name) else ""
            if isinstance(element, ast.Attribute):
                name = attribute_under(element, self.own)
            if name and name in seen:
                for value in self.values_of(element):
                    value.repeated = value.repeated or node
            seen.add(name)

    def decide(self, test: ast.expr, node: ast.AST) -> None:
        """Evaluate a condition, and note that its value decides what runs."""
        self.model.decisions.append(Decision(self.values_of(test), node, self.where))

    # Values that are computed.

    def derived(self, kind: Kind, node: ast.AST | None, found: list[Value]) -> Value:
        """A value that is computed from others, which may meet on different devices."""
        made = computed(kind, node, found)
        flat = [*found, *contained(found)]
        makers, moved = _meeting(flat)
        if makers and moved:
            # What has no dimension meets tensors of any device.
            self.model.met.update(
                maker for value in flat if not value.scalar for maker in value.makers
            )
        elif makers and kind == "tensor":
            made.makers = makers
        return made


def _meeting(found: list[Value]) -> tuple[tuple[Value, ...], bool]:
    """The factories behind some operands, and whether others of them follow the module's device."""
    makers = tuple(dict.fromkeys(maker for value in found for maker in value.makers))
    moved = any(
        not value.makers
        and (value.kind in ("parameter", "buffer") or (value.is_tensor and _follows(value)))
        for value in found
    )
    return makers, moved


def _follows(value: Value) -> bool:
    return value.from_input or value.from_state or bool(value.argument)
