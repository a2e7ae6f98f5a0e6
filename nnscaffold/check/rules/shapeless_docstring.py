"""NN602: docstrings that lack arguments or shapes."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from nnscaffold.check.rules.shared.signatures import is_public, parameters_of
from nnscaffold.check.syntax import positional

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel

_SHAPES = re.compile(r"\bshapes?\b|\(\s*(?:\*|N|B|\.\.\.|batch)\b|\[\s*(?:B|N|batch)\b", re.I)


def _is_documented(name: str, text: str) -> bool:
    """Whether a docstring has an entry for an argument, or names it as code."""
    if name not in text:
        return False  # a pattern for each name takes its time
    word = rf"\b{re.escape(name)}\b"
    entry = rf"^\s*(?::param\b)?[^\n:]*{word}[^\n:]*:|`{re.escape(name)}`"
    return bool(re.search(entry, text, re.MULTILINE))


def find(model: ClassModel) -> Iterator[Finding]:
    """NN602: no docstring, or one without the arguments or the shapes."""
    if not is_public(model):
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
        names = [one.arg for one in parameters_of(constructor)]
        unsaid = [name for name in names if not _is_documented(name, whole)]
        if unsaid:
            missing.append(f"the arguments {', '.join(unsaid)}")
    takes_input = forward is not None and len(positional(forward)) > 1
    if takes_input and not _SHAPES.search(whole):
        missing.append("the shapes of inputs and outputs")
    if missing:
        message = f"its docstring lacks {' and '.join(missing)}"
        yield model.file.finding("NN602", model.file.head(model.node), message, model.name)
