"""A file as rules see it: its text, names, places and the nodes that they ask for."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cached_property

from nnscaffold.check.finding import Edit, Finding, Fix, Span
from nnscaffold.check.names import Names
from nnscaffold.check.syntax import Function, blocks, walk
from nnscaffold.contract.rules import RULES


@dataclass(frozen=True)
class Source:
    """A file of Python.

    Attributes:
        path: Its name, as it is shown.
        module: Its dotted name, as others import it.
        text: Its text.
    """

    path: str
    module: str
    text: str


class File:
    """A parsed file.

    Attributes:
        source: Its path, name and text.
        tree: What it parses to.
        names: What its names mean.
        classes: All its classes, those inside others and inside functions too.
        class_names: Their dotted names; a line is a part of those that another class has, too.
        qualnames: Their names with those of the classes around them.
        local_classes: Those of them that are inside functions.
        functions: All its functions and methods, each with the class that it is a method of.
    """

    def __init__(self, source: Source, tree: ast.Module) -> None:
        """Collect the nodes that rules ask for, in one walk."""
        self.source = source
        self.tree = tree
        is_package = source.path.replace("\\", "/").endswith("__init__.py")
        self.names = Names(source.module, is_package=is_package, tree=tree)
        self.classes: list[ast.ClassDef] = []
        self.qualnames: dict[ast.ClassDef, str] = {}
        self.local_classes: set[ast.ClassDef] = set()
        self.class_names: dict[ast.ClassDef, str] = {}
        self._taken: set[str] = set()
        self.functions: list[tuple[Function, ast.ClassDef | None]] = []
        self._collect()

    def _collect(self) -> None:
        """Go through the statements, each with the class whose body it is in, in a function or not.

        A method is in the body of its class; what is inside the method is in no class's body.
        """
        Place = tuple[ast.stmt, ast.ClassDef | None, bool]
        known = set(self.names.imports)
        waiting: list[Place] = [(one, None, False) for one in reversed(self.tree.body)]
        while waiting:
            node, owner, local = waiting.pop()
            if isinstance(node, ast.ClassDef):
                self._add_class(node, owner)
                if local:
                    self.local_classes.add(node)
                owner = node
            elif isinstance(node, Function):
                self.functions.append((node, owner))
                owner, local = None, True
            elif isinstance(node, ast.Import | ast.ImportFrom) and node not in known:
                self.names.add_local_import(node)
            for block in reversed(blocks(node)):
                waiting.extend((child, owner, local) for child in reversed(block))

    def _add_class(self, node: ast.ClassDef, owner: ast.ClassDef | None) -> None:
        self.classes.append(node)
        name = f"{self.source.module}.{node.name}"
        self.class_names[node] = f"{name}:{node.lineno}" if name in self._taken else name
        self._taken.add(name)
        outer = f"{self.qualnames[owner]}." if owner else ""
        self.qualnames[node] = f"{outer}{node.name}"
        if node.name not in self.names.classes:
            self.names.classes[node.name] = node

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of the tree."""
        return list(walk(self.tree))

    @cached_property
    def lines(self) -> list[str]:
        """The lines, without their ends, as `ast` counts them."""
        return self.source.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    def column(self, line: int, offset: int) -> int:
        """The column in characters of an offset in bytes."""
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return offset if text.isascii() else len(text.encode()[:offset].decode(errors="replace"))

    def span(self, node: ast.AST) -> Span:
        """Where a node stands."""
        line, end = node.lineno, node.end_lineno or node.lineno  # type: ignore[attr-defined]
        start = self.column(line, node.col_offset)  # type: ignore[attr-defined]
        return Span(line, start, end, self.column(end, node.end_col_offset or 0))  # type: ignore[attr-defined]

    def text_of(self, node: ast.AST | Span) -> str:
        """The text of a node or a stretch, as it is written."""
        span = node if isinstance(node, Span) else self.span(node)
        lines = self.lines[span.line - 1 : span.end_line]
        if not lines:
            return ""
        if len(lines) == 1:
            return lines[0][span.column : span.end_column]
        first, *middle, last = lines
        return "\n".join([first[span.column :], *middle, last[: span.end_column]])

    def finding(
        self,
        code: str,
        node: ast.AST | Span,
        message: str,
        name: str = "",
        fix: Fix | None = None,
    ) -> Finding:
        """A finding at a node of this file."""
        span = node if isinstance(node, Span) else self.span(node)
        return Finding(RULES[code], self.source.path, span, message, name, fix)

    def head(self, node: Function | ast.ClassDef) -> Span:
        """Where the head of a function or class stands: its keyword and its name."""
        span = self.span(node)
        text = self.lines[span.line - 1]
        found = re.compile(rf"(?:async\s+)?(?:def|class)\s+{node.name}").match(text, span.column)
        end = found.end() if found else len(text)
        return Span(span.line, span.column, span.line, end)

    def replace(self, node: ast.AST, text: str) -> Edit:
        """The edit that puts a text in the place of a node."""
        return Edit(self.span(node), text)

    def before(self, node: ast.AST, text: str) -> Edit:
        """The edit that inserts a text before a node."""
        span = self.span(node)
        return Edit(Span(span.line, span.column, span.line, span.column), text)

    def after(self, node: ast.AST, text: str) -> Edit:
        """The edit that inserts a text after a node."""
        span = self.span(node)
        return Edit(Span(span.end_line, span.end_column, span.end_line, span.end_column), text)

    def spelled(self, name: str) -> tuple[str, tuple[Edit, ...]]:
        """How a name of torch is written here, with the edit that imports it if need be."""
        text, statement = self.names.spelled(name)
        return text, (self._import(statement),) if statement else ()

    def _import(self, statement: str) -> Edit:
        """The insertion of an import after the last of the top, or before the first statement."""
        top = [node for node in self.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        if top:
            line = top[-1].end_lineno or top[-1].lineno
            if line < len(self.lines):
                return Edit(Span(line + 1, 0, line + 1, 0), f"{statement}\n")
            column = self.column(line, top[-1].end_col_offset or 0)
            return Edit(Span(line, column, line, column), f"\n{statement}")
        docstring = ast.get_docstring(self.tree, clean=False) is not None
        body = self.tree.body[1:] if docstring else self.tree.body
        line = body[0].lineno if body else 1
        if body and isinstance(body[0], ast.ClassDef | ast.FunctionDef):
            line = min([line, *(one.lineno for one in body[0].decorator_list)])
        return Edit(Span(line, 0, line, 0), f"{statement}\n")
