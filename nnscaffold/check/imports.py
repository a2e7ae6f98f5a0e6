"""What a file imports, and the files of the same project that this leads to.

Whether a class is a module depends on its bases. When a part of a project is checked, its bases may
be in another part: so what is imported is read, too, though nothing is looked for there.
"""

from __future__ import annotations

import ast
import os
from typing import TYPE_CHECKING

from nnscaffold.check.sources import ModuleNames
from nnscaffold.check.syntax import imported_from, statements

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def imported_names(tree: ast.Module, module: str, is_package: bool) -> list[str]:
    """Dotted names that may be modules, in the order of the text.

    Args:
        tree: A file's syntax.
        module: Its dotted name.
        is_package: Whether it is an `__init__.py`.
    """
    package = module if is_package else module.rpartition(".")[0]
    names: dict[str, None] = {}
    for node in statements(tree.body, inner=True):
        if isinstance(node, ast.Import):
            names |= dict.fromkeys(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = imported_from(node, package)
            if source:
                names[source] = None
                names |= dict.fromkeys(f"{source}.{alias.name}" for alias in node.names)
    return list(names)


class Modules:
    """The modules of a project, by name.

    Args:
        root: The project's folder.
        names: How its files are named.
    """

    def __init__(self, root: Path, names: ModuleNames) -> None:
        self._names = names
        self._bases = [os.path.abspath(root), os.path.join(os.path.abspath(root), "src")]
        self._tops: dict[str, list[str]] = {}

    def find(self, name: str) -> str | None:
        """The file of a module; None if it is not of this project."""
        top, *rest = name.split(".")
        if top not in self._tops:
            self._tops[top] = [base for base in self._bases if _exists(os.path.join(base, top))]
        for base in self._tops[top]:
            path = os.path.join(base, top, *rest)
            for file in (f"{path}.py", os.path.join(path, "__init__.py")):
                if os.path.isfile(file) and self._names.name(file) == name:
                    return file
        return None

    def add_bases(self, files: Iterable[str]) -> None:
        """Search beside the outermost packages of these files, too."""
        found = dict.fromkeys(self._names.base(file) for file in files)
        self._bases = list(dict.fromkeys([*self._bases, *found]))


def _exists(path: str) -> bool:
    return os.path.isdir(path) or os.path.isfile(f"{path}.py")
