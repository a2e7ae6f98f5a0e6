"""NN201: tensors on plain attributes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.finding import Edit, Fix, Span
from nnscaffold.check.rules.late_super_init import stays_early
from nnscaffold.check.rules.shared.asking import flat
from nnscaffold.check.syntax import walk
from nnscaffold.check.values import CONTAINERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Assign
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Value


def find(model: ClassModel) -> Iterator[Finding]:
    """NN201: the constructor leaves a tensor on `self` that is not registered."""
    if model.overrides("_apply"):
        return
    yield from _find_taken(model)
    reported: set[str] = set()
    for one in model.assigns:
        name = one.attribute
        if one.how not in ("assign", "setattr", "grow", "item") or name in reported:
            continue
        if one.where.function not in model.only_in_constructor or name in model.deleted:
            continue
        tensors = [value for value in flat(one.values) if _is_plain(value, one)]
        if name in model.methods or name.startswith("__") or "." in name:
            continue
        if _is_registered(model, name) and not _is_collection(one):
            continue
        if not tensors and any(_is_other_name(value, one) for value in flat(one.values)):
            reported.add(name)
            message = f"`self.{name}` keeps a buffer that `.to()` replaces by another one"
            yield model.file.finding("NN201", _made_at(model, one), message, f"{model.name}.{name}")
        if not tensors:
            continue
        reported.add(name)
        message = f"`self.{name}` is a plain tensor: it is neither moved nor saved"
        if one.value is not None and _learns(one.value):
            message = f"`self.{name}` is a plain tensor that should be a parameter"
        if any(value.items for value in one.values) or one.how in ("grow", "item"):
            message = f"`self.{name}` holds plain tensors: they are neither moved nor saved"
        same = [other for other in model.assigns if other.attribute == name]
        # `register_buffer` takes no name that the class has.
        alone = len(same) == 1 and name not in model.on_class
        fix = _register(model, one) if alone else None
        yield model.file.finding("NN201", one.node, message, f"{model.name}.{name}", fix)


def _find_taken(model: ClassModel) -> Iterator[Finding]:
    """`register_buffer` takes no name that the module has already: it raises a KeyError."""
    for buffer in model.assigns:
        name = buffer.attribute
        if buffer.how != "buffer" or name == "*" or name in model.deleted:
            continue
        taken = [
            one
            for one in model.assigns
            if one.attribute == name
            and one.how in ("assign", "setattr")
            and one.order < buffer.order
            and one.where.function in model.only_in_constructor
            and set(one.where.guards) <= set(buffer.where.guards)
            and not any(value.kind == "buffer" for value in one.values)
        ]
        if taken:
            message = f"`self.{name}` has a plain value already, so `register_buffer` raises"
            yield model.file.finding("NN201", taken[0].node, message, f"{model.name}.{name}")


def _is_plain(value: Value, one: Assign) -> bool:
    if value.kind != "tensor" or value.registered:
        return False
    # What is computed from a parameter is NN107.
    return not value.from_state or value.detached or one.where.no_grad


def _is_other_name(value: Value, one: Assign) -> bool:
    """Whether it is a buffer that stands under its own name already."""
    return value.kind == "buffer" and not value.name and value.attribute != one.attribute


def _is_collection(one: Assign) -> bool:
    return one.how in ("grow", "item") or any(value.kind in CONTAINERS for value in one.values)


def _made_at(model: ClassModel, one: Assign) -> ast.AST:
    """Where the container is made that something is put into."""
    if one.how in ("grow", "item"):
        for other in model.assigns:
            if other.attribute == one.attribute and other.how == "assign":
                return other.node
    return one.node


def _is_registered(model: ClassModel, name: str) -> bool:
    if model.is_buffer(name) or model.inherited(name) == "parameter":
        return True
    return any(
        one.attribute == name
        and (
            one.how in ("parameter", "module")
            or any(value.kind in ("parameter", "module", "buffer") for value in one.values)
        )
        for one in model.assigns
    )


def _learns(value: ast.expr) -> bool:
    """Whether a tensor is to have gradients, so that it should be a parameter."""
    return any(
        (isinstance(part, ast.Attribute) and part.attr.startswith("requires_grad"))
        or (isinstance(part, ast.keyword) and part.arg == "requires_grad")
        for part in walk(value)
    )


def _register(model: ClassModel, one: Assign) -> Fix | None:
    """Register what is assigned: `self.register_buffer("mask", torch.ones(3))`."""
    node, value = one.node, one.value
    single = isinstance(node, ast.AnnAssign) or (
        isinstance(node, ast.Assign) and len(node.targets) == 1
    )
    if not single or one.how != "assign" or value is None or stays_early(model, one):
        return None
    if any(held.kind not in ("tensor", "none") for held in one.values) or _learns(value):
        return None
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]  # type: ignore[union-attr]
    if not isinstance(target, ast.Attribute) or not isinstance(target.value, ast.Name):
        return None
    file = model.file
    whole = file.span(node)
    annotation = node.annotation if isinstance(node, ast.AnnAssign) else target
    after = file.span(annotation)
    text = file.lines[after.end_line - 1]
    equals = text.find("=", after.end_column)
    if equals < 0:
        return None
    rest = text[equals + 1 :]
    start = equals + 1 + len(rest) - len(rest.lstrip())
    if rest.lstrip().startswith("\\"):
        return None
    head = f'{target.value.id}.register_buffer("{target.attr}", '
    return Fix(
        "Register it as a buffer",
        (
            Edit(Span(whole.line, whole.column, after.end_line, start), head),
            file.after(node, ")"),
        ),
        (one.attribute,),
    )
