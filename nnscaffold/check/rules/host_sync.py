"""NN404: values of tensors that `forward` waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.asking import guarded_by
from nnscaffold.check.rules.shared.syntax import is_literal
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
        if call.where.fails:
            continue  # nobody waits for what is about to fail
        where = f"{model.name}.{call.where.function}"
        fetched = call.method in HOST_FETCHES and not call.name
        if fetched and any(_is_computed(value) for value in call.receiver):
            if lengths & {id(value) for value in call.results} or _is_inspected(call):
                continue
            message = f"`.{call.method}()` fetches the value of a tensor to the host"
            yield model.file.finding("NN404", call.node, message, where)
        elif call.name in ("float", "int", "bool") and any(
            value.is_tensor and _is_computed(value) for values in call.arguments for value in values
        ):
            message = f"`{call.name}()` fetches the value of a tensor to the host"
            yield model.file.finding("NN404", call.node, message, where)

    for call in model.forward_calls():
        to_cpu = call.method == "to" and call.node.args and is_literal(call.node.args[0], "cpu")
        if to_cpu and any(value.is_tensor and _is_computed(value) for value in call.receiver):
            message = '`.to("cpu")` fetches a tensor to the host'
            where = f"{model.name}.{call.where.function}"
            yield model.file.finding("NN404", call.node, message, where)
    for decision in model.decisions:
        if decision.where.function not in model.in_forward or decision.where.nested:
            continue
        if decision.where.fails:
            continue
        if any(value.kind == "tensor" and _is_computed(value) for value in decision.values):
            message = "the value of a tensor decides what runs: it is fetched to the host"
            where = f"{model.name}.{decision.where.function}"
            yield model.file.finding("NN404", decision.node, message, where)


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
