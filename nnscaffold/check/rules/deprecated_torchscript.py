"""NN502: TorchScript."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.file import File
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.index import Index

_USED = re.compile(r"\bjit\.(?:script|trace|freeze)|torch\.jit import|torch import .*\bjit")
_DEPRECATED = frozenset(
    f"torch.jit.{name}" for name in ("script", "trace", "freeze", "trace_module", "script_method")
)


def find_in_file(file: File, index: Index) -> Iterator[Finding]:
    """NN502: a function of TorchScript, which torch 2.9 deprecated."""
    if not _USED.search(file.source.text):
        return
    decorators = {id(one) for function, _ in file.functions for one in function.decorator_list} | {
        id(one) for node in file.classes for one in node.decorator_list
    }
    for node in file.nodes:
        used: ast.expr | None = None
        if isinstance(node, ast.Call):
            used = node.func
        elif id(node) in decorators and isinstance(node, ast.Attribute | ast.Name):
            used = node
        name = file.names.qualified(used) if used is not None else ""
        if name in _DEPRECATED:
            message = f"`{name}` is deprecated since torch 2.9"
            yield file.finding("NN502", node, message, name)
