"""NN108: parameters whose first values nothing writes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.asking import flat
from nnscaffold.check.syntax import last_name, mentions, walk
from nnscaffold.check.values import origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Assign
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Value

_OF_EVERYTHING = frozenset({"parameters", "named_parameters", "apply", "modules", "named_modules"})


def find(model: ClassModel) -> Iterator[Finding]:
    """NN108: nothing writes the first values of a parameter."""
    candidates = [
        (one, value)
        for one in model.assigns
        if one.where.function in model.in_constructor
        for value in _parameters_of(one)
        if value.unwritten
    ]
    if not candidates:
        return
    # What a constructor that is not in this tree calls is not known.
    whole = model.index.is_whole(model.qualified)
    reached = model.in_constructor if whole else None
    if any(
        call.method in _OF_EVERYTHING
        and (call.receiver and call.receiver[0].is_self)
        and (reached is None or call.where.function in reached)
        for call in model.calls
    ):
        return
    written = _touched(model, reached)
    by_ancestors = _read_by_ancestors(model)
    for one, value in candidates:
        if one.attribute in by_ancestors:
            continue
        sources = {id(origin(value)), *(id(origin(item)) for item in value.items)}
        if (
            _is_filled_by_others(model, one.attribute)
            or sources & written
            or any(id(origin(held)) in written for held in model.attributes.get(one.attribute, ()))
        ):
            continue
        message = f"nothing writes the values of `self.{one.attribute}`"
        if id(value) in _touched(model):
            message += " when the module is built"
        yield model.file.finding("NN108", one.node, message, f"{model.name}.{one.attribute}")


def _is_filled_by_others(model: ClassModel, attribute: str) -> bool:
    """Whether the file asks for instances of the class, and then fills the attribute.

    That is how a whole network's initialisation goes through its modules:
    `if isinstance(module, Experts): init.normal_(module.weight)`.
    """
    for node in model.file.nodes:
        if not isinstance(node, ast.If) or not mentions(node.test, model.name):
            continue
        for part in (inner for statement in node.body for inner in walk(statement)):
            if isinstance(part, ast.Call) and last_name(part.func).endswith("_"):
                filled = [part.func, *part.args[:1]]
                if any(mentions(one, attribute) for one in filled):
                    return True
    return False


def _read_by_ancestors(model: ClassModel) -> set[str]:
    """What the constructor's methods read of it in the classes that it inherits from."""
    return {
        attribute
        for facts in [*model.index.ancestry(model.qualified)][1:]
        for method, reads in facts.methods.items()
        if method in model.in_constructor
        for attribute in reads
    }


def _parameters_of(one: Assign) -> Iterator[Value]:
    for value in flat(one.values):
        if value.kind == "parameter":
            yield value
        elif value.kind == "module":
            yield from (item for item in value.items if item.kind == "parameter")


def _touched(model: ClassModel, functions: frozenset[str] | None = None) -> set[int]:
    """The identities of the values that something is done to: written, or handed to a function."""
    found: set[int] = set()
    for write in model.writes:
        if functions is None or write.where.function in functions:
            found.update(id(origin(value)) for value in write.values)
    for write in model.data_writes:
        if functions is None or write.where.function in functions:
            found.update(id(origin(value)) for value in write.values)
    for call in model.calls:
        if functions is not None and call.where.function not in functions:
            continue
        if call.name.startswith("torch.nn.") and not call.name.startswith("torch.nn.init."):
            continue
        if call.method in ("register_parameter", "register_buffer", "size", "append", "__init__"):
            continue
        for values in (*call.arguments, *call.keywords.values()):
            found.update(id(origin(value)) for value in flat(values))
    return found
