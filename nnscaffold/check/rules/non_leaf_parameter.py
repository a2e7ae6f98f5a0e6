"""NN107: what is computed from a parameter and kept in its place."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.finding import Edit, Fix, Span
from nnscaffold.check.rules.shared.asking import flat
from nnscaffold.check.torch_names import PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Assign
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Value

_CONVERSIONS = frozenset({"to", "cuda", "half", "double", "float", "bfloat16", "cpu", "type"})


def find(model: ClassModel) -> Iterator[Finding]:
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
    end = Span(start.end_line, start.end_column, whole.end_line, whole.end_column)
    given, first = file.span(inner.args[0]), file.text_of(inner.args[0])
    if not isinstance(inner.args[0], ast.Name | ast.Call | ast.Attribute | ast.Subscript):
        first = f"({first})"
    converted = f"{first}{file.text_of(end)}"
    if not _is_expression(converted):
        return None  # brackets around the parameter: `(nn.Parameter(t)).to(d)`
    edits = (Edit(given, converted), Edit(end, ""))
    return Fix("Convert the tensor first, then wrap it", edits, (one.attribute,))


def _is_expression(text: str) -> bool:
    try:
        ast.parse(f"({text})", mode="eval")
    except SyntaxError:
        return False
    return True
