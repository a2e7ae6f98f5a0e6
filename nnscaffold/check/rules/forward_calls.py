"""NN401, NN402, NN404 and NN405: what calls in `forward` do to inputs, modes and devices."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nnscaffold.check.annotations import annotated
from nnscaffold.check.finding import Edit, Fix, Span
from nnscaffold.check.rules.asking import (
    add_argument,
    guarded_by,
    has_keyword,
    is_literal,
    keyword,
    mentions,
    runs_in_training_only,
)
from nnscaffold.check.torch_names import DROPOUT_FUNCTIONS, DROPOUTS, HOST_FETCHES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Call, Write
    from nnscaffold.check.file import File, Function
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.index import Index
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.values import Value

_ATTENTION = "torch.nn.functional.scaled_dot_product_attention"


def find_mutated_inputs(model: ClassModel) -> Iterator[Finding]:
    """NN401: `forward` changes a tensor that its caller owns."""
    for write in model.writes:
        if write.where.function not in model.in_forward or guarded_by(write.where, "inplace"):
            continue
        name = next((arg for value in write.values if (arg := _callers(value, write))), "")
        if not name:
            continue
        how = f"`{write.name}`" if write.how == "method" else "an assignment"
        message = f"{how} changes the caller's `{name}` in place"
        where = f"{model.name}.{write.where.function}"
        yield model.file.finding("NN401", write.node, message, where)


def _callers(value: Value, write: Write) -> str:
    """The argument of `forward` that a write changes; nothing if it changes none."""
    if not value.argument.startswith("forward.") or value.kind in ("number", "text"):
        return ""
    if isinstance(write.key, ast.Constant) and isinstance(write.key.value, str):
        return ""  # an item of a dictionary
    if write.how != "method" and not value.is_tensor:
        return ""
    return value.argument.removeprefix("forward.").removesuffix("[]")


def find_ignored_modes(model: ClassModel) -> Iterator[Finding]:
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
    for node in ast.walk(function):
        chosen: list[ast.AST] = []
        if isinstance(node, ast.Assign) and mentions(node.value, "training"):
            chosen += node.targets
        elif isinstance(node, ast.If) and mentions(node.test, "training"):
            chosen += ast.walk(node)
        if any(_is_stored(one, given.id) for one in chosen):
            return True
    return any(one.arg == given.id for one in (*function.args.args, *function.args.kwonlyargs))


def _is_stored(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)


def find_fetches(model: ClassModel) -> Iterator[Finding]:
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


def find_squeezes(model: ClassModel) -> Iterator[Finding]:
    """NN405: a squeeze that drops the batch, too, where its size is 1."""
    for call in model.forward_calls():
        node = call.node
        if call.method in ("squeeze", "squeeze_") and not call.name:
            bare = not node.args and not node.keywords
            of = call.receiver
        elif call.name == "torch.squeeze":
            bare = len(node.args) == 1 and not node.keywords
            of = call.arguments[0] if call.arguments else []
        else:
            continue
        if bare and any(value.from_input or value.argument for value in of):
            message = "`squeeze()` without a dimension drops the batch where its size is 1"
            where = f"{model.name}.{call.where.function}"
            yield model.file.finding("NN405", node, message, where)


def find_direct_calls(model: ClassModel) -> Iterator[Finding]:
    """NN403: `forward` of another module is called past its hooks."""
    for call in model.calls:
        function = call.node.func
        if call.method != "forward" or not isinstance(function, ast.Attribute) or call.name:
            continue
        own = bool(call.receiver) and call.receiver[0].name == "self"
        if own or not any(_is_child(value) for value in call.receiver):
            continue
        file = model.file
        target = file.span(function.value)
        whole = file.span(function)
        cut = Edit(Span(target.end_line, target.end_column, whole.end_line, whole.end_column), "")
        text = ast.unparse(function.value)
        message = f"`{text}.forward(...)` skips the hooks of `{text}`"
        fix = Fix("Call the module itself", (cut,))
        where = f"{model.name}.{call.where.function}"
        yield file.finding("NN403", call.node, message, where, fix)


def _is_child(value: Value) -> bool:
    unknown = value.kind in ("other", "argument") and not value.name
    return value.kind == "module" or (unknown and bool(value.attribute))


def find_direct_calls_in_file(file: File, index: Index) -> Iterator[Finding]:
    """NN403 in functions that are given a module, and say so."""
    for function, owner in file.functions:
        if owner is not None:
            continue
        modules = {
            one.arg
            for one in (*function.args.args, *function.args.kwonlyargs)
            if (value := annotated(one.annotation, file.names, index)) and value.kind == "module"
        }
        for node in ast.walk(function) if modules else ():
            called = node.func if isinstance(node, ast.Call) else None
            if not isinstance(called, ast.Attribute) or called.attr != "forward":
                continue
            if isinstance(called.value, ast.Name) and called.value.id in modules:
                text = called.value.id
                target, whole = file.span(called.value), file.span(called)
                cut = Span(target.end_line, target.end_column, whole.end_line, whole.end_column)
                message = f"`{text}.forward(...)` skips the hooks of `{text}`"
                fix = Fix("Call the module itself", (Edit(cut, ""),))
                yield file.finding("NN403", node, message, function.name, fix)
