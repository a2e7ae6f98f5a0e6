"""NN101: a constructor that never reaches that of `nn.Module`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.finding import Edit, Fix
from nnscaffold.check.rules.shared.constructors import (
    blocking_base,
    calls_in_constructor,
    initialises,
    reaches_module,
)
from nnscaffold.check.rules.shared.edits import start_of
from nnscaffold.check.syntax import first_parameter, has_docstring, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.syntax import Function


def find(model: ClassModel) -> Iterator[Finding]:
    """NN101: the constructor never reaches that of `nn.Module`."""
    constructor = model.methods.get("__init__")
    if constructor is None:
        blocking = blocking_base(model)
        if blocking:
            message = f"`{blocking}.__init__` never reaches `nn.Module.__init__`"
            yield model.file.finding("NN101", model.file.head(model.node), message, model.name)
        return
    if _only_raises(constructor):
        return
    if any(initialises(model, call) for call in calls_in_constructor(model)):
        return
    message = f"`{model.name}.__init__` never reaches `nn.Module.__init__`"
    named = _named_only(model, constructor)
    fix = _skipping(model)
    if named is not None:
        message = f"`{ast.unparse(named)}` without parentheses calls nothing"
        fix = _call(model, named)
    elif fix is None and _needs_no_arguments(model):
        fix = _first_call(model, constructor)
    yield model.file.finding("NN101", model.file.head(constructor), message, model.name, fix)


def _only_raises(constructor: Function) -> bool:
    body = constructor.body[1:] if has_docstring(constructor) else constructor.body
    return bool(body) and isinstance(body[0], ast.Raise)


def _named_only(model: ClassModel, constructor: Function) -> ast.Attribute | None:
    """A constructor that is named and not called: the parentheses are missing."""
    for node in walk(constructor):
        named = node.value if isinstance(node, ast.Expr) else None
        if isinstance(named, ast.Attribute) and reaches_module(model, named):
            return named
    return None


def _call(model: ClassModel, named: ast.Attribute) -> Fix | None:
    """Call what is named, where that needs no arguments."""
    if not isinstance(named.value, ast.Call) or not _needs_no_arguments(model):
        return None
    return Fix("Call it", (model.file.after(named, "()"),))


def _skipping(model: ClassModel) -> Fix | None:
    """Begin the search for the next constructor where the class itself is."""
    for call in calls_in_constructor(model):
        target = call.node.func.value if isinstance(call.node.func, ast.Attribute) else None
        if call.method != "__init__" or not isinstance(target, ast.Call) or not target.args:
            continue
        if isinstance(target.func, ast.Name) and target.func.id == "super":
            return Fix("Call `super()` without arguments", (model.file.replace(target, "super()"),))
    return None


def _needs_no_arguments(model: ClassModel) -> bool:
    """Whether the constructor of the nearest ancestor that has one can be called without any."""
    if blocking_base(model):
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
    if not blocking_base(model):
        edit = _insertion(model, constructor, "super().__init__()")
        return Fix("Call `super().__init__()` first", (edit,))
    spelled, imports = model.file.spelled("torch.nn.Module")
    call = f"{spelled}.__init__({first_parameter(constructor)})"
    return Fix(f"Call `{call}` first", (_insertion(model, constructor, call), *imports))


def _insertion(model: ClassModel, constructor: Function, call: str) -> Edit:
    """The edit that puts a call before the first statement after the docstring."""
    file = model.file
    after_docstring = has_docstring(constructor) and len(constructor.body) > 1
    if has_docstring(constructor) and not after_docstring:
        indent = " " * file.span(constructor.body[0]).column
        return file.after(constructor.body[0], f"\n{indent}{call}")
    place = start_of(file, constructor.body[1 if after_docstring else 0])
    before = file.lines[place.line - 1][: place.column]
    if before.strip():  # `def __init__(self): self.x = 1`
        return Edit(place, f"{call}; ")
    return Edit(place, f"{call}\n{before}")
