"""What a file imports is known when it is checked alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nnscaffold.check.imports import imported_names
from nnscaffold.check.session import Request, check
from nnscaffold.check.sources import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    Tree = Callable[..., Path]


@pytest.mark.parametrize(
    ("text", "module", "is_package", "names"),
    [
        ("import a.b, c as d", "m", False, ["a.b", "c"]),
        ("from a import b, c", "m", False, ["a", "a.b", "a.c"]),
        ("from . import b", "p.m", False, ["p", "p.b"]),
        ("from .q import b", "p.m", False, ["p.q", "p.q.b"]),
        ("from .q import b", "p", True, ["p.q", "p.q.b"]),
        ("from ..q import b", "p.r.m", False, ["p.q", "p.q.b"]),
        ("from ...q import b", "p.m", False, []),
        ("from . import b", "m", False, []),
        ("try:\n  import a\nexcept E:\n  import b\nelse:\n  import c", "m", False, ["a", "b", "c"]),
        ("def f():\n  with x:\n    if y:\n      import a", "m", False, ["a"]),
    ],
)
def test_names(text: str, module: str, is_package: bool, names: list[str]) -> None:
    assert imported_names(parse(text), module, is_package) == names


FILES = {
    "pyproject.toml": "",
    "src/pkg/__init__.py": "",
    "src/pkg/a.py": "from .b import Base\nimport torch\n",
    "src/pkg/b.py": "from pkg.sub import Root\n",
    "src/pkg/sub/__init__.py": "from lib.deep import X\n",
    "src/pkg/other.py": "",
    "lib/deep.py": "import pkg.a\n",
    "lib/bad.py": "def f(:\n",
}


def test_what_is_imported_is_summarised_and_not_searched(tree: Tree, toy: Any, net: str) -> None:
    root = tree(FILES | {"src/pkg/b.py": net + "from pkg.sub import Root\nimport lib.bad\n"})
    result = check(Request(("src/pkg/a.py",)), analysis=toy)
    assert sorted(toy.summarised) == ["lib.deep", "pkg.a", "pkg.b", "pkg.sub"]
    assert toy.searched == ["pkg.a"]
    assert (result.report.files, result.report.findings, result.report.notes) == (
        ("src/pkg/a.py",),
        (),
        (),
    )
    toy.searched.clear()
    check(Request(("src/pkg/a.py",)), analysis=toy)
    assert toy.searched == []
    (root / "lib" / "deep.py").write_text("x = 1\n")
    check(Request(("src/pkg/a.py",)), analysis=toy)
    assert toy.summarised[4:] == ["lib.deep"]


def test_what_is_checked_is_not_read_twice(tree: Tree, toy: Any) -> None:
    tree(FILES)
    check(Request((".",)), analysis=toy)
    assert len(toy.summarised) == len(set(toy.summarised)) == 6
    assert len(toy.searched) == 6
