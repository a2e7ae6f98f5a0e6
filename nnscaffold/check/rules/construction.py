"""NN101 and NN102: `super().__init__()`, and what comes before it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.finding import Edit, Fix, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Call
    from nnscaffold.check.file import Function
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Value


def find_missing(model: ClassModel) -> Iterator[Finding]:
    """NN101: the constructor never reaches that of `nn.Module`."""
    constructor = model.methods.get("__init__")
    if constructor is None:
        blocking = _blocking_base(model)
        if blocking:
            message = f"`{blocking}.__init__` never reaches `nn.Module.__init__`"
            yield model.file.finding("NN101", model.file.head(model.node), message, model.name)
        return
    if _only_raises(constructor):
        return
    if any(_initialises(model, call) for call in _in_constructor(model)):
        return
    fix = _skipping(model)
    if fix is None and _needs_no_arguments(model):
        fix = _first_call(model, constructor)
    message = f"`{model.name}.__init__` never reaches `nn.Module.__init__`"
    yield model.file.finding("NN101", model.file.head(constructor), message, model.name, fix)


def find_late(model: ClassModel) -> Iterator[Finding]:
    """NN102: something is registered before the constructor of `nn.Module` ran."""
    constructor = model.methods.get("__init__")
    initialising = [call for call in _in_constructor(model) if _initialises(model, call)]
    if constructor is None or not initialising:
        return
    first = min(initialising, key=lambda call: call.order)
    early = [
        one
        for one in model.assigns
        if one.order < first.order
        and one.where.function in model.in_constructor
        and (one.how in ("buffer", "parameter", "module") or _registers(one.values, one.how))
    ]
    for one in early[:1]:
        name = f"{model.name}.{one.attribute}"
        message = f"`self.{one.attribute}` is registered before `super().__init__()`"
        if one.attribute == "*":
            message = "something is registered before `super().__init__()`"
        node: ast.AST = one.node
        if one.where.function != "__init__":
            calls = (
                call.node for call in _in_constructor(model) if call.method == one.where.function
            )
            node = next(calls, node)
        fix = _earlier(model, constructor, first)
        yield model.file.finding("NN102", node, message, name, fix)


def _registers(values: list[Value], how: str) -> bool:
    kinds = ("module", "parameter")
    return how in ("assign", "setattr") and any(value.kind in kinds for value in values)


def _in_constructor(model: ClassModel) -> Iterator[Call]:
    return (call for call in model.calls if call.where.function in model.in_constructor)


def _initialises(model: ClassModel, call: Call) -> bool:
    """Whether a call reaches `nn.Module.__init__`."""
    function = call.node.func
    if not isinstance(function, ast.Attribute) or function.attr != "__init__":
        return False
    target = function.value
    if isinstance(target, ast.Call) and isinstance(target.func, ast.Name):
        if target.func.id != "super":
            return False
        # `super(nn.Module, self)` begins after `nn.Module`.
        if target.args and model.file.names.qualified(target.args[0]) == "torch.nn.Module":
            return False
        return bool(target.args) or not _blocking_base(model)
    if isinstance(target, ast.Name) and target.id in ("self", "cls"):
        return False
    name = model.file.names.qualified(target)
    facts = model.index.facts(name)
    return facts is None or model.index.is_module(name) or facts.initialises


def _blocking_base(model: ClassModel) -> str:
    """The first base, if its constructor is where `super().__init__()` ends: a mixin's."""
    own = model.index.facts(model.qualified)
    first = own.bases[0] if own and own.bases else ""
    facts = model.index.facts(first)
    if facts is None or model.index.is_module(first) or "__init__" not in facts.methods:
        return ""
    return "" if facts.initialises else facts.name.rpartition(".")[2]


def _only_raises(constructor: Function) -> bool:
    body = constructor.body[1:] if _docstring(constructor) else constructor.body
    return bool(body) and isinstance(body[0], ast.Raise)


def _docstring(function: Function) -> bool:
    first = function.body[0]
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)


def _skipping(model: ClassModel) -> Fix | None:
    """Begin the search for the next constructor where the class itself is."""
    for call in _in_constructor(model):
        target = call.node.func.value if isinstance(call.node.func, ast.Attribute) else None
        if call.method != "__init__" or not isinstance(target, ast.Call) or not target.args:
            continue
        if isinstance(target.func, ast.Name) and target.func.id == "super":
            return Fix("Call `super()` without arguments", (model.file.replace(target, "super()"),))
    return None


def _needs_no_arguments(model: ClassModel) -> bool:
    """Whether the constructor of the nearest ancestor that has one can be called without any."""
    if _blocking_base(model):
        return True  # which the call goes past
    own = model.index.facts(model.qualified)
    for base in own.bases if own else ():
        known = [facts.required for facts in model.index.ancestry(base) if facts.required >= 0]
        if known:
            return known[0] == 0
        if model.index.facts(base) is None:
            return model.index.resolve(base) == "torch.nn.Module"
    return True


def _first_call(model: ClassModel, constructor: Function) -> Fix:
    """Call the constructor of `nn.Module` first, past a mixin whose own would not."""
    if not _blocking_base(model):
        edit = _insertion(model, constructor, "super().__init__()")
        return Fix("Call `super().__init__()` first", (edit,))
    spelled, imports = model.file.spelled("torch.nn.Module")
    own = constructor.args.args[0].arg if constructor.args.args else "self"
    call = f"{spelled}.__init__({own})"
    return Fix(f"Call `{call}` first", (_insertion(model, constructor, call), *imports))


def _insertion(model: ClassModel, constructor: Function, call: str) -> Edit:
    """The edit that puts a call before the first statement after the docstring."""
    file = model.file
    after_docstring = _docstring(constructor) and len(constructor.body) > 1
    if _docstring(constructor) and not after_docstring:
        span = file.span(constructor.body[0])
        indent = " " * span.column
        end = (span.end_line, span.end_column)
        return Edit(Span(*end, *end), f"\n{indent}{call}")
    statement = constructor.body[1] if after_docstring else constructor.body[0]
    line = statement.lineno
    if isinstance(statement, ast.FunctionDef | ast.ClassDef) and statement.decorator_list:
        line = statement.decorator_list[0].lineno
    column = file.column(line, statement.col_offset)
    before = file.lines[line - 1][:column]
    if before.strip():  # `def __init__(self): self.x = 1`
        return Edit(Span(line, column, line, column), f"{call}; ")
    return Edit(Span(line, column, line, column), f"{call}\n{before}")


def _earlier(model: ClassModel, constructor: Function, call: Call) -> Fix | None:
    """Move the call before the first statement, if it needs nothing from those between."""
    file = model.file
    statement = next(
        (one for one in constructor.body if isinstance(one, ast.Expr) and one.value is call.node),
        None,
    )
    parameters = {one.arg for one in (*constructor.args.args, *constructor.args.kwonlyargs)}
    used = {
        part.id for one in call.node.args for part in ast.walk(one) if isinstance(part, ast.Name)
    }
    used |= {
        part.id
        for one in call.node.keywords
        for part in ast.walk(one.value)
        if isinstance(part, ast.Name)
    }
    if statement is None or not used <= parameters:
        return None
    first = constructor.body[1] if _docstring(constructor) else constructor.body[0]
    span, text = file.span(statement), file.text_of(statement)
    line = file.lines[span.line - 1]
    alone = (
        not line[: span.column].strip()
        and not file.lines[span.end_line - 1][span.end_column :].strip()
    )
    start = first.lineno
    if isinstance(first, ast.FunctionDef | ast.ClassDef) and first.decorator_list:
        start = first.decorator_list[0].lineno
    column = file.column(start, first.col_offset)
    indent = file.lines[start - 1][:column]
    if not alone or indent.strip():
        return None
    removal = Edit(Span(span.line, 0, span.end_line + 1, 0), "")
    if span.end_line >= len(file.lines):
        removal = Edit(Span(span.line - 1, len(file.lines[span.line - 2]), *_end(span)), "")
    insertion = Edit(Span(start, column, start, column), f"{text}\n{indent}")
    return Fix("Move `super().__init__()` before it", (insertion, removal))


def _end(span: Span) -> tuple[int, int]:
    return span.end_line, span.end_column
