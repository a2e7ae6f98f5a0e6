"""NN301: devices that are written down."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.factories import stay_behind
from nnscaffold.check.syntax import keyword, last_name, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.syntax import Function

_CUDA = re.compile(r"cuda(:\d*)?\Z")
# Calls in which a device's name only says for which devices something is meant.
_ABOUT_DEVICES = frozenset(
    {
        *("autocast", "startswith", "endswith", "GradScaler", "custom_fwd", "custom_bwd"),
        *("is_autocast_enabled", "get_autocast_dtype", "warn", "print", "ValueError", "get", "pop"),
        *("RuntimeError", "info", "debug", "warning", "join", "is_available", "isinstance"),
        *("getattr", "hasattr", "setattr", "count", "split", "replace", "amp_autocast"),
    }
)
_GUARDS = frozenset({"is_available", "is_cuda", "device_count", "cuda_available", "has_cuda"})


def find(model: ClassModel) -> Iterator[Finding]:
    """NN301: a device is named in the class, or in a constant that it uses."""
    if "cuda" in model.file.source.text:
        for method in model.methods.values():
            yield from _find_in_method(model, method)
            yield from _find_constants(model, method)
        for statement in model.node.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                for node in _named_devices(statement.value):
                    yield model.file.finding("NN301", node, "names a device", model.name)
    for call in stay_behind(model):
        if keyword(call.node, "device") is not None:
            message = '`device="cpu"` names a device, and meets tensors of others'
            where = f"{model.name}.{call.where.function}"
            yield model.file.finding("NN301", call.node, message, where)


def _find_in_method(model: ClassModel, method: Function) -> Iterator[Finding]:
    moves_itself = method.name in ("cuda", "to", "_apply", "to_device")
    for node in _named_devices(method):
        if isinstance(node, ast.Call) and moves_itself:
            continue
        what = ast.unparse(node) if isinstance(node, ast.Constant) else _call_text(node)
        where = f"{model.name}.{method.name}"
        yield model.file.finding("NN301", node, f"`{what}` names a device", where)


def _find_constants(model: ClassModel, method: Function) -> Iterator[Finding]:
    """Where a method uses a constant of the file that names a device."""
    names = model.file.names
    bound = _bound_in(method)
    for part in walk(method):
        if not isinstance(part, ast.Name) or not isinstance(part.ctx, ast.Load):
            continue
        constant = names.constants.get(part.id)
        if constant is None or part.id in bound or part.id in names.imported:
            continue
        if any(True for _ in _named_devices(constant)):
            message = f"`{part.id}` is the device {ast.unparse(constant)}"
            yield model.file.finding("NN301", part, message, f"{model.name}.{method.name}")


def _bound_in(method: ast.AST) -> set[str]:
    """The names that a method has of its own."""
    return {
        part.arg if isinstance(part, ast.arg) else part.id
        for part in walk(method)
        if isinstance(part, ast.arg)
        or (isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))
    }


def _call_text(node: ast.AST) -> str:
    return f".{node.func.attr}()" if isinstance(node, ast.Call) else ast.unparse(node)  # type: ignore[attr-defined]


def _named_devices(node: ast.AST) -> Iterator[ast.AST]:
    """The literals and calls below a node that name a device, those under a guard left out."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str) and _CUDA.match(node.value):
            yield node
        return
    if isinstance(node, ast.Compare | ast.Dict | ast.Subscript | ast.Assert | ast.Raise):
        if isinstance(node, ast.Dict):
            for value in node.values:
                yield from _named_devices(value)
        elif isinstance(node, ast.Subscript):
            yield from _named_devices(node.value)
        return
    if isinstance(node, ast.If | ast.IfExp):
        if _is_guard(node.test):
            return
        yield from _named_devices(node.test)
    if isinstance(node, ast.BoolOp) and any(map(_is_guard, node.values)):
        return
    if isinstance(node, ast.Call):
        name = last_name(node.func)
        if name in _ABOUT_DEVICES:
            return
        if name == "partial" and node.args and last_name(node.args[0]) in _ABOUT_DEVICES:
            return
        if name == "cuda" and isinstance(node.func, ast.Attribute):
            given = [*node.args, *(one.value for one in node.keywords if one.arg == "device")]
            if not any(_is_passed_on(one) for one in given):
                yield node
        if isinstance(node.func, ast.Attribute) and _is_cuda_type(node.func):
            yield node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        children = [*node.args.defaults, *(one for one in node.args.kw_defaults if one), *node.body]
    else:
        children = list(ast.iter_child_nodes(node))
    guarded = False
    for child in children:
        if guarded:
            break
        yield from _named_devices(child)
        # `if not torch.cuda.is_available(): return` guards what follows.
        guarded = (
            isinstance(child, ast.If)
            and isinstance(child.body[-1], ast.Return | ast.Raise)
            and _is_guard(child.test)
        )


def _is_guard(test: ast.AST) -> bool:
    return any(
        (isinstance(part, ast.Attribute) and part.attr in _GUARDS)
        or (isinstance(part, ast.Name) and part.id in _GUARDS)
        or (
            isinstance(part, ast.Constant)
            and isinstance(part.value, str)
            and _CUDA.match(part.value)
        )
        for part in walk(test)
    )


def _is_passed_on(node: ast.expr) -> bool:
    """Whether a device comes from elsewhere: `x.cuda(y.device)`."""
    return not isinstance(node, ast.Constant)


def _is_cuda_type(function: ast.Attribute) -> bool:
    """Whether it is `torch.cuda.FloatTensor` or one of its kind."""
    owner = function.value
    return (
        function.attr.endswith("Tensor")
        and isinstance(owner, ast.Attribute)
        and owner.attr == "cuda"
    )
