"""What functions, methods and attributes of tensors return, and what they write to."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.events import Write
from nnscaffold.check.syntax import is_given, keyword, walk
from nnscaffold.check.torch_names import (
    DETACHED,
    DTYPES,
    FACTORIES,
    NOT_TENSORS,
    TENSOR_FUNCTIONS,
    TENSOR_NAMESPACES,
    UNWRITTEN,
    VIEWS,
    WITHOUT_GRADIENT,
)
from nnscaffold.check.values import Value, attach, contained

if TYPE_CHECKING:
    from nnscaffold.check.frame import Frame
    from nnscaffold.check.invocation import Invocation

# Factories that copy what they are given, so that its values matter and not its size.
_COPYING = frozenset({"torch.tensor", "torch.as_tensor"})


# Functions.


def is_function(name: str) -> bool:
    """Whether a dotted name is that of a function that returns a tensor, in place or not."""
    return name.removesuffix("_") in TENSOR_FUNCTIONS or name.startswith(TENSOR_NAMESPACES)


def of_function(frame: Frame, call: Invocation) -> Value:
    """What a function of torch returns."""
    if call.name.startswith("torch.nn.functional."):
        for value in call.given:
            value.tensor_like = value.tensor_like or value.kind == "argument"
    _note_writes(frame, call)
    held = [*call.given, *contained(call.given)]
    # How many indices are drawn does not decide where they are.
    operands = call.first if call.name == "torch.multinomial" else held
    made = frame.derived("tensor", call.node, operands)
    if call.name in FACTORIES and call.name not in _COPYING:
        # Sizes may come from an input; the values do not.
        made = Value("tensor", call.node)
    made.name = call.name
    if call.name in FACTORIES and not any(value.is_tensor for value in held):
        made.makers = (made,) if _is_on_default_device(frame, call) else ()
    made.unwritten = _is_unwritten(call)
    made.scalar = _is_scalar(call)
    without_gradient = call.name.removeprefix("torch.") in WITHOUT_GRADIENT
    # Of `zeros_like(x)`: until something with a graph is written into it.
    made.detached = made.detached or without_gradient or call.name.endswith("_like")
    return made


def _note_writes(frame: Frame, call: Invocation) -> None:
    """Note that a function writes to its first argument or to `out`."""
    in_place = call.name.endswith("_") or is_given(call.node, "inplace", True)
    written = [(call.keywords.get("out", []), "out")]
    if in_place:
        written.append((call.first, call.name.rpartition(".")[2]))
    for values, name in written:
        if values:
            for value in values:
                value.tensor_like = value.tensor_like or value.kind == "argument"
            frame.model.writes.append(Write(values, call.node, "method", frame.where, name))


def _is_on_default_device(frame: Frame, call: Invocation) -> bool:
    """Whether a factory is given no device, or the CPU by name."""
    device = keyword(call.node, "device")
    if isinstance(device, ast.Constant) and device.value == "cpu":
        return True
    placed = {"device", "out", None} & {one.arg for one in call.node.keywords}
    return not placed and "torch.device" not in frame.where.contexts


def _is_unwritten(call: Invocation) -> bool:
    """Whether a function returns memory that nothing wrote, rather than a copy of values."""
    if call.name not in UNWRITTEN:
        return False
    first = call.given[0] if call.given else None
    if first is None:
        return True
    copied = call.name.endswith("Tensor") and first.kind in ("list", "tuple") and first.items
    return not copied and not (call.name == "torch.Tensor" and first.is_tensor)


def _is_scalar(call: Invocation) -> bool:
    """Whether a function makes a tensor of one number."""
    if call.name not in _COPYING and call.name != "torch.scalar_tensor":
        return False
    data = call.node.args[0] if call.node.args else None
    if isinstance(data, ast.UnaryOp) and isinstance(data.operand, ast.Constant):
        return True
    if isinstance(data, ast.Constant) and not isinstance(data.value, str):
        return True
    return bool(call.first) and all(value.kind == "number" for value in call.first)


# Methods and attributes.


def of_method(
    frame: Frame, node: ast.Call, method: str, tensor: Value, given: list[Value]
) -> Value:
    """What a method of a tensor returns."""
    if method == "requires_grad_":
        return tensor
    if method.endswith("_") and not method.endswith("__"):
        frame.model.writes.append(Write([tensor], node, "method", frame.where, method, given=given))
        attach([tensor], given)
        return tensor
    if method.startswith("is_") and method != "is_nonzero":
        return Value("other", node)
    if method == "item":
        return frame.derived("other", node, [tensor])
    if method in NOT_TENSORS and method != "type":
        return Value("other", node)
    if method == "float" and tensor.kind == "parameter":
        made_of = tensor.items[0].node if tensor.items else None
        if not _names_dtype(made_of):
            return tensor  # of float32, which is what parameters are made of
    if method in ("new", "new_empty"):
        return Value("tensor", node, unwritten=method == "new_empty")
    return of_attribute(frame, node, method, [tensor, *given])


def of_attribute(frame: Frame, node: ast.AST, name: str, found: list[Value]) -> Value:
    """What an attribute of a tensor is, or what its method returns, where that is a tensor.

    Args:
        frame: Where it is read.
        node: The expression or call.
        name: The attribute or method.
        found: The tensor, and what the method is given.
    """
    tensor = found[0]
    moves = name in ("to", "type_as", "cuda", "cpu", "xpu") and _may_move(name, node)
    made = frame.derived("tensor", node, [tensor] if moves else found)
    if name.startswith("new_"):
        return Value("tensor", node)  # which takes over no value
    if name in DETACHED:
        made.detached = True
        made.argument = tensor.argument
    if name in VIEWS:
        made.argument = tensor.argument
        made.attribute = tensor.attribute
        made.source = tensor
        made.through_data = tensor.through_data
        made.unwritten = tensor.unwritten
        made.detached = tensor.detached
    if moves:
        made.makers = ()
    if name in ("argmax", "argmin", "argsort", "nonzero", "long", "int", "bool", "eq", "ne"):
        made.detached = True
    return made


def _may_move(method: str, node: ast.AST) -> bool:
    """Whether a call may bring a tensor to another device: `.to(torch.float32)` does not."""
    if method != "to" or not isinstance(node, ast.Call):
        return True
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    return not all(
        isinstance(one, ast.Attribute) and (one.attr == "dtype" or one.attr in DTYPES)
        for one in given
    )


def _names_dtype(node: ast.AST | None) -> bool:
    """Whether an expression names a dtype of floating point that is not float32."""
    return any(
        isinstance(part, ast.Attribute)
        and part.attr in ("float64", "double", "half", "float16", "bfloat16")
        for part in (walk(node) if node is not None else ())
    )
