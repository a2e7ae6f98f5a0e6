"""NN601 and NN602: what a public module's signature and docstring say."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel

_SHAPES = re.compile(r"\bshapes?\b|\(\s*(?:\*|N|B|\.\.\.|batch)\b|\[\s*(?:B|N|batch)\b", re.I)


def _is_public(model: ClassModel) -> bool:
    return not model.name.startswith("_") and model.node not in model.file.local_classes


def _is_documented(name: str, text: str) -> bool:
    """Whether a docstring has an entry for an argument, or names it as code."""
    word = rf"\b{re.escape(name)}\b"
    entry = rf"^\s*(?::param\b)?[^\n:]*{word}[^\n:]*:|`{re.escape(name)}`"
    return bool(re.search(entry, text, re.MULTILINE))


def find_untyped(model: ClassModel) -> Iterator[Finding]:
    """NN601: an argument or result of `__init__` or `forward` without an annotation."""
    if not _is_public(model):
        return
    for name in ("__init__", "forward"):
        function = model.methods.get(name)
        if function is None:
            continue
        spec = function.args
        parameters = [*spec.posonlyargs, *spec.args][1:] + spec.kwonlyargs
        parameters += [one for one in (spec.vararg, spec.kwarg) if one]
        missing = [one.arg for one in parameters if one.annotation is None]
        if name == "forward" and function.returns is None:
            missing.append("the result")
        if missing:
            message = f"`{name}` has no annotation for {', '.join(missing)}"
            yield model.file.finding(
                "NN601", model.file.head(function), message, f"{model.name}.{name}"
            )


def find_undocumented(model: ClassModel) -> Iterator[Finding]:
    """NN602: no docstring, or one without the arguments or the shapes."""
    if not _is_public(model):
        return
    text = ast.get_docstring(model.node) or ""
    constructor, forward = model.methods.get("__init__"), model.methods.get("forward")
    if not text:
        yield model.file.finding(
            "NN602", model.file.head(model.node), "it has no docstring", model.name
        )
        return
    texts = [text]
    for method in (constructor, forward):
        if method is not None:
            texts.append(ast.get_docstring(method) or "")
    whole = "\n".join(texts)
    missing = []
    if constructor is not None:
        spec = constructor.args
        names = [one.arg for one in ([*spec.posonlyargs, *spec.args][1:] + spec.kwonlyargs)]
        unsaid = [name for name in names if not _is_documented(name, whole)]
        if unsaid:
            missing.append(f"the arguments {', '.join(unsaid)}")
    takes_input = forward is not None and len(forward.args.args) > 1
    if takes_input and not _SHAPES.search(whole):
        missing.append("the shapes of inputs and outputs")
    if missing:
        message = f"its docstring lacks {' and '.join(missing)}"
        yield model.file.finding("NN602", model.file.head(model.node), message, model.name)
