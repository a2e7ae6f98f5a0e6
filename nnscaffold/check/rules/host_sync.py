"""NN404: values of tensors that `forward` waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.asking import guarded_by
from nnscaffold.check.syntax import is_literal
from nnscaffold.check.torch_names import HOST_FETCHES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Call
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Value


def find(model: ClassModel) -> Iterator[Finding]:
    """NN404: `forward` waits for the value of a tensor."""
    lengths = {
        id(value)
        for call in model.calls
        if call.name.endswith("pack_padded_sequence")
        for values in (*call.arguments, *call.keywords.values())
        for value in values
    }
    for call in model.forward_calls():
        message = _fetch(call)
        packed = not call.name and lengths & {id(value) for value in call.results}
        if message and not packed:
            where = f"{model.name}.{call.where.function}"
            yield model.file.finding("NN404", call.node, message, where)
    for decision in model.decisions:
        where, nested = decision.where.function, decision.where.nested
        if where not in model.in_forward or nested or decision.where.fails:
            continue
        if any(value.kind == "tensor" and _is_computed(value) for value in decision.values):
            message = "the value of a tensor decides what runs: it is fetched to the host"
            yield model.file.finding("NN404", decision.node, message, f"{model.name}.{where}")


def _fetch(call: Call) -> str:
    """What a call fetches to the host, as a message; nothing if it fetches nothing."""
    if call.method == "to" and call.node.args and is_literal(call.node.args[0], "cpu"):
        moved = any(value.is_tensor and _is_computed(value) for value in call.receiver)
        return '`.to("cpu")` fetches a tensor to the host' if moved else ""
    if call.where.fails:
        return ""  # nobody waits for what is about to fail
    if call.method in HOST_FETCHES and not call.name:
        fetched = any(map(_is_computed, call.receiver)) and not _is_inspected(call)
        return f"`.{call.method}()` fetches the value of a tensor to the host" if fetched else ""
    if call.name in ("float", "int", "bool"):
        given = [value for values in call.arguments for value in values]
        if any(value.is_tensor and _is_computed(value) for value in given):
            return f"`{call.name}()` fetches the value of a tensor to the host"
    return ""


def _is_computed(value: Value) -> bool:
    """Whether it is a tensor that depends on an input or on the module's state."""
    if value.makers and all(maker.name != "torch.as_tensor" for maker in value.makers):
        return False  # of numbers only, and on the default device: a draw, say
    held = value.from_state or value.kind in ("parameter", "buffer")
    depends = value.from_input or bool(value.argument) or held
    return depends and value.kind not in ("number", "text", "none", "class")


def _is_inspected(call: Call) -> bool:
    """Whether it only happens where somebody looks at the module, or where it is traced."""
    return guarded_by(
        call.where, "is_tracing", "is_scripting", "is_in_onnx_export", "is_exporting", "debug"
    )
