"""NN107, NN108 and NN204: what is and stays a parameter, and what gives it its values."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.finding import Edit, Fix, Span
from nnscaffold.check.rules.asking import flat, mentions, touched
from nnscaffold.check.torch_names import PARAMETERS
from nnscaffold.check.values import origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Assign
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Value

_CONVERSIONS = frozenset({"to", "cuda", "half", "double", "float", "bfloat16", "cpu", "type"})
_OF_EVERYTHING = frozenset({"parameters", "named_parameters", "apply", "modules", "named_modules"})
# Methods that a framework calls at each step.
_EACH_STEP = (
    *("training_step", "validation_step", "on_train_batch_start", "on_train_batch_end"),
    *("on_before_zero_grad", "optimizer_step", "train", "eval"),
)


def find_non_leaf(model: ClassModel) -> Iterator[Finding]:
    """NN107: something computed from a parameter is kept in its place."""
    for one in model.assigns:
        if one.how not in ("assign", "setattr") or one.where.no_grad:
            continue
        if one.where.function not in model.only_in_constructor:
            continue
        if not any(_is_non_leaf(value) for value in flat(one.values)):
            continue
        message = f"`self.{one.attribute}` is computed from a parameter, so it is a plain tensor"
        fix = _wrap_last(model, one)
        yield model.file.finding("NN107", one.node, message, f"{model.name}.{one.attribute}", fix)


def _is_non_leaf(value: Value) -> bool:
    return value.kind == "tensor" and value.from_state and not value.detached


def _wrap_last(model: ClassModel, one: Assign) -> Fix | None:
    """Convert first, wrap last: `nn.Parameter(t).to(d)` becomes `nn.Parameter(t.to(d))`."""
    file, value = model.file, one.value
    inner: ast.expr | None = None
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        inner = value.func.value if value.func.attr in _CONVERSIONS else None
    elif isinstance(value, ast.BinOp):
        inner = value.left
    if value is None:
        return None
    if not isinstance(inner, ast.Call) or file.names.qualified(inner.func) not in PARAMETERS:
        return None
    if not inner.args or isinstance(inner.args[0], ast.Starred):
        return None
    start, whole = file.span(inner), file.span(value)
    rest = _text_between(file.lines, start, whole)
    given, first = file.span(inner.args[0]), file.text_of(inner.args[0])
    if not isinstance(inner.args[0], ast.Name | ast.Call | ast.Attribute | ast.Subscript):
        first = f"({first})"
    text = f"{first}{rest}"
    edits = (
        Edit(given, text),
        Edit(Span(start.end_line, start.end_column, whole.end_line, whole.end_column), ""),
    )
    return Fix("Convert the tensor first, then wrap it", edits, (one.attribute,))


def _text_between(lines: list[str], start: Span, whole: Span) -> str:
    """The text from the end of one span to the end of another."""
    if start.end_line == whole.end_line:
        return lines[start.end_line - 1][start.end_column : whole.end_column]
    first = lines[start.end_line - 1][start.end_column :]
    middle = lines[start.end_line : whole.end_line - 1]
    return "\n".join([first, *middle, lines[whole.end_line - 1][: whole.end_column]])


def find_unwritten(model: ClassModel) -> Iterator[Finding]:
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
        and (call.receiver and call.receiver[0].name == "self")
        and (reached is None or call.where.function in reached)
        for call in model.calls
    ):
        return
    written = touched(model, reached)
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
        if id(value) in touched(model):
            message += " when the module is built"
        yield model.file.finding("NN108", one.node, message, f"{model.name}.{one.attribute}")


def _is_filled_by_others(model: ClassModel, attribute: str) -> bool:
    """Whether the file asks for instances of the class, and then fills the attribute.

    That is how a whole network's initialisation goes through its modules:
    `if isinstance(module, Experts): init.normal_(module.weight)`.
    """
    for node in ast.walk(model.file.tree):
        if not isinstance(node, ast.If) or not mentions(node.test, model.name):
            continue
        for part in (inner for statement in node.body for inner in ast.walk(statement)):
            if isinstance(part, ast.Call) and _last(part.func).endswith("_"):
                filled = [part.func, *part.args[:1]]
                if any(mentions(one, attribute) for one in filled):
                    return True
    return False


def _last(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


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


def find_rebound(model: ClassModel) -> Iterator[Finding]:
    """NN204: a parameter is replaced at each step."""
    steps = model.in_forward | model.reached_from(*_EACH_STEP)
    for one in model.assigns:
        if one.how not in ("assign", "setattr") or one.where.function not in steps:
            continue
        if not _is_parameter(model, one.attribute, steps):
            continue
        if any(value.kind == "none" for value in one.values):
            continue
        message = f"`{one.where.function}` replaces the parameter `self.{one.attribute}`"
        yield model.file.finding("NN204", one.node, message, f"{model.name}.{one.attribute}")


def _is_parameter(model: ClassModel, attribute: str, steps: frozenset[str]) -> bool:
    if model.is_buffer(attribute):
        return False  # a None may be registered in its place
    if model.inherited(attribute) == "parameter":
        return True
    child, _, name = attribute.rpartition(".")
    if child and name in ("weight", "bias"):
        return any(value.kind == "module" for value in model.attributes.get(child, ()))
    return any(
        one.attribute == attribute
        and one.where.function not in steps
        and (one.how == "parameter" or any(value.kind == "parameter" for value in one.values))
        for one in model.assigns
    )
