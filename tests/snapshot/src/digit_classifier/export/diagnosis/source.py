"""Where in a model's own source something happened, past the frames of torch and of others."""

import ast
import inspect
import linecache
import os
import sys
import sysconfig
import textwrap
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import nn

Line = tuple[str, int]
"""File and number of a line of source."""

_TORCH = f"{Path(torch.__file__).parent}{os.sep}"
# Torch's files that only pass on what their caller asked for, such as `module.to("cuda")`.
_PASSED_ON = {
    str(Path(_TORCH, name)) for name in ("overrides.py", "_tensor.py", "nn/modules/module.py")
}
_EXPORT = f"{Path(__file__).parents[1]}{os.sep}"
# A watch stands between a line and what it calls.
_WATCHES = str(Path(__file__).with_name("watches.py"))
_PACKAGE = f"{Path(__file__).parents[2]}{os.sep}"
_INSTALLED = tuple(
    f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
# What is installed for the user, or for a Python that this one builds on, is in none of those.
_PACKAGES = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))


def place(filename: str, line: int) -> str:
    """Return ``file:line``, from the working folder if the file is in it."""
    path = Path(filename)
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return f"{path}:{line}"


def text_at(filename: str, line: int) -> str:
    """Return a line of source, without its indentation."""
    return linecache.getline(filename, line).strip()


def is_export(filename: str) -> bool:
    """Whether a file is one of the exports', which call the model."""
    return filename.startswith(_EXPORT)


def is_own(filename: str) -> bool:
    """Whether a file is the author's: of this package, or of no installed one."""
    if is_export(filename) or filename.startswith("<"):
        return False
    # This package may be installed among the others.
    if filename.startswith(_PACKAGE):
        return True
    installed = filename.startswith((_TORCH, *_INSTALLED))
    return not (installed or any(part in filename for part in _PACKAGES))


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from, the first cause first."""
    chain: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and found not in chain:
        chain.append(found)
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    yield from reversed(chain)


def line_of(error: BaseException) -> Line | None:
    """Return file and line of the innermost line of the author's that an error passed."""
    for cause in causes(error):
        for frame in reversed(traceback.extract_tb(cause.__traceback__)):
            if is_export(frame.filename) and frame.filename != _WATCHES:
                # Further out, it is whoever asked for the export.
                break
            if is_own(frame.filename):
                return frame.filename, frame.lineno or 0
    return None


def calling_line() -> str:
    """Return the place that called torch; nothing where torch called itself."""
    frame: FrameType | None = sys._getframe(2)
    while frame and frame.f_code.co_filename in _PASSED_ON:
        frame = frame.f_back
    if frame is None or frame.f_code.co_filename.startswith(_TORCH):
        return ""
    return place(frame.f_code.co_filename, frame.f_lineno)


def running_line() -> str:
    """Return the innermost place in the author's code that is running now."""
    frame: FrameType | None = sys._getframe(2)
    while frame and not is_own(frame.f_code.co_filename):
        frame = frame.f_back
    return place(frame.f_code.co_filename, frame.f_lineno) if frame else ""


def assignment(module: nn.Module, attribute: str) -> str:
    """Return the place where a module's class gives an attribute its first value."""
    for kind in type(module).__mro__[:-1]:
        for node in _statements(kind):
            if any(_is_attribute(target, attribute) for target in _targets(node)):
                return _place_in(kind, node.lineno)
    return definition(type(module))


def change(module: nn.Module, attribute: str) -> str:
    """Return the place where a module's `forward` gives an attribute another value."""
    forward = type(module).forward
    for node in _statements(forward):
        calls = [call.func for call in ast.walk(node) if isinstance(call, ast.Call)]
        # `self.count.add_(1)`, `self.seen.append(x)`
        owners = [call.value for call in calls if isinstance(call, ast.Attribute)]
        if any(_is_attribute(target, attribute) for target in (*_targets(node), *owners)):
            return _place_in(forward, node.lineno)
    return definition(forward)


def definition(found: object) -> str:
    """Return the place where a class or a function begins; nothing where that is not in a file."""
    try:
        filename, line = _start(found)
    except (OSError, TypeError) as _:
        return ""
    return place(filename, line)


def _start(found: object) -> Line:
    filename = inspect.getsourcefile(_inspected(found)) or ""
    return filename, inspect.getsourcelines(_inspected(found))[1]


def _inspected(found: object) -> Any:
    return found  # inspect takes no plain object, by its types


def _place_in(found: object, line: int) -> str:
    filename, start = _start(found)
    return place(filename, start + line - 1)


def _statements(found: object) -> Iterator[ast.stmt]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(_inspected(found))))
    except (OSError, TypeError, SyntaxError) as _:
        # Built at run time, or edited since: there is no source to look at.
        return
    simple = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return)
    statements = (node for node in ast.walk(tree) if isinstance(node, simple))
    yield from sorted(statements, key=lambda node: node.lineno)


def _targets(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.Assign):
        return statement.targets
    if isinstance(statement, ast.AnnAssign | ast.AugAssign):
        return [statement.target]
    return []


def _is_attribute(target: ast.expr, name: str) -> bool:
    return (
        isinstance(target, ast.Attribute)
        and target.attr == name
        and isinstance(target.value, ast.Name)
        and target.value.id == "self"
    )
