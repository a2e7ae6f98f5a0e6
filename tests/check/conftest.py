"""An analysis that is simple enough to predict, and trees of files to check."""

from __future__ import annotations

import ast
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nnscaffold.check.analysis import Source, Summary
from nnscaffold.check.finding import Edit, Finding, Fix, Span
from nnscaffold.contract.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# This folder's own modules.
sys.path.insert(0, str(Path(__file__).parent))


class _Index:
    def __init__(self, summaries: Iterable[Summary], roots: Iterable[str]) -> None:
        self.modules = sorted(summary.module for summary in summaries)
        self.digest = repr((self.modules, tuple(roots)))


class Toy:
    """Finds lists on `self` (NN103, fixable), and calls of `item` (NN404); counts its work."""

    Index = _Index

    def __init__(self) -> None:
        self.summarised: list[str] = []
        self.searched: list[str] = []

    def summarise(self, source: Source, tree: ast.Module) -> Summary:
        self.summarised.append(source.module)
        return Summary(source.module)

    def find(self, source: Source, tree: ast.Module, index: Any) -> list[Finding]:
        self.searched.append(source.module)
        found = []
        for cls in ast.walk(tree):
            for node in ast.walk(cls) if isinstance(cls, ast.ClassDef) else ():
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.List):
                    found.append(self._list(source, cls, node, node.value))
                if isinstance(node, ast.Attribute) and node.attr == "item":
                    span = _span(source.text, node)
                    found.append(Finding(RULES["NN404"], source.path, span, "Waits", cls.name))
        return sorted(found, key=lambda each: each.span)

    def _list(
        self, source: Source, cls: ast.ClassDef, node: ast.Assign, value: ast.List
    ) -> Finding:
        assert isinstance(node.targets[0], ast.Attribute)
        name = node.targets[0].attr
        span = _span(source.text, value)
        before = Span(span.line, span.column, span.line, span.column)
        after = Span(span.end_line, span.end_column, span.end_line, span.end_column)
        edits = [Edit(before, "nn.ModuleList("), Edit(after, ")")]
        if "from torch import nn" not in source.text:
            edits.insert(0, Edit(Span(1, 0, 1, 0), "from torch import nn\n"))
        fix = Fix("Wrap the list in `nn.ModuleList`", tuple(edits), (f"{name}.*",))
        message = f"`self.{name}` is a plain list"
        return Finding(RULES["NN103"], source.path, span, message, f"{cls.name}.{name}", fix)


def _span(text: str, node: ast.expr) -> Span:
    lines = text.splitlines()

    def column(line: int, offset: int) -> int:
        return len(lines[line - 1].encode()[:offset].decode())

    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return Span(
        node.lineno,
        column(node.lineno, node.col_offset),
        node.end_lineno,
        column(node.end_lineno, node.end_col_offset),
    )


NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(2, 2)]
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An isolated home; a check needs no store in it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    for name in ("NNSCAFFOLD_CACHE_DIR", "XDG_CACHE_HOME", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def toy() -> Toy:
    return Toy()


@pytest.fixture
def net() -> str:
    """A file with one finding, in line 7, which can be fixed."""
    return NET


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Make a folder with these files, and work in it."""

    def make(files: dict[str, str | bytes]) -> Path:
        root = tmp_path / "tree"
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                content = textwrap.dedent(content).encode()
            path.write_bytes(content)
        monkeypatch.chdir(root)
        return root

    return make
