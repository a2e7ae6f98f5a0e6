"""NN402: what is random after `eval()` too."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.finding import Fix
from nnscaffold.check.rules.shared.asking import runs_in_training_only
from nnscaffold.check.rules.shared.edits import add_argument
from nnscaffold.check.syntax import (
    every_parameter,
    has_keyword,
    is_literal,
    keyword,
    mentions,
    walk,
)
from nnscaffold.check.torch_names import DROPOUT_FUNCTIONS, DROPOUTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Call
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.syntax import Function

_ATTENTION = "torch.nn.functional.scaled_dot_product_attention"


def find(model: ClassModel) -> Iterator[Finding]:
    """NN402: something is random after `eval()` too."""
    for call in model.calls:
        if call.where.function in model.only_in_constructor:
            continue
        where = f"{model.name}.{call.where.function}"
        if call.name in DROPOUT_FUNCTIONS:
            if not _names_mode(call) and not runs_in_training_only(call.where):
                message = f"`{call.name.rpartition('.')[2]}` is random in eval mode too"
                own = model.own_name(call.where.function)
                text = f"training={own}.training"
                edit = add_argument(model.file, call.node, text) if own else None
                fix = Fix(f"Pass `{text}`", (edit,)) if edit else None
                yield model.file.finding("NN402", call.node, message, where, fix)
        elif call.name in DROPOUTS and call.where.function in model.in_forward:
            if not _takes_mode(model, call):
                kind = call.name.rpartition(".")[2]
                message = f"a new `{kind}` is always in training mode"
                yield model.file.finding("NN402", call.node, message, where)
        elif call.name == _ATTENTION:
            yield from _attention(model, call, where)


def _names_mode(call: Call) -> bool:
    return has_keyword(call.node, "training", "train") or len(call.node.args) > 2


def _takes_mode(model: ClassModel, call: Call) -> bool:
    """Whether a dropout that is built in `forward` is given the mode: `.train(self.training)`."""
    made = {id(value) for value in call.results}
    return runs_in_training_only(call.where) or any(
        other.method in ("train", "eval") and made & {id(value) for value in other.receiver}
        for other in model.calls
    )


def _attention(model: ClassModel, call: Call, where: str) -> Iterator[Finding]:
    given = keyword(call.node, "dropout_p")
    if given is None and len(call.node.args) > 4:
        given = call.node.args[4]
    if given is None or is_literal(given, 0, 0.0) or runs_in_training_only(call.where):
        return
    if isinstance(given, ast.Constant) and not given.value:
        return
    function = model.methods.get(call.where.function)
    if mentions(given, "training") or _follows_mode(function, given):
        return
    file = model.file
    text = file.text_of(given)
    if not isinstance(given, ast.Constant | ast.Name | ast.Attribute | ast.Call):
        text = f"({text})"
    own = model.own_name(call.where.function)
    edit = file.replace(given, f"{text} if {own}.training else 0.0")
    fix = Fix("Pass 0 in eval mode", (edit,)) if own else None
    message = "`dropout_p` is not 0 in eval mode"
    yield file.finding("NN402", call.node, message, where, fix)


def _follows_mode(function: Function | None, given: ast.expr) -> bool:
    """Whether the name that is passed was chosen by the mode before."""
    if isinstance(given, ast.Attribute):
        # A property can ask for the mode; what is read from a child is the child's to know.
        return not (isinstance(given.value, ast.Name))
    if not isinstance(given, ast.Name) or function is None:
        return not isinstance(given, ast.Constant)
    for node in walk(function):
        chosen: list[ast.AST] = []
        if isinstance(node, ast.Assign) and mentions(node.value, "training"):
            chosen += node.targets
        elif isinstance(node, ast.If) and mentions(node.test, "training"):
            chosen += walk(node)
        if any(_is_stored(one, given.id) for one in chosen):
            return True
    return any(one.arg == given.id for one in every_parameter(function.args))


def _is_stored(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
