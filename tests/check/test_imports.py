"""What a file imports is known when it is checked alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nnscaffold.check import Settings, check_paths
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


LAYERS = "        self.layers = [nn.Linear(2, 2)]\n"
BASES = {
    "pyproject.toml": "",
    "src/pkg/__init__.py": "",
    "src/pkg/a.py": "from torch import nn\nfrom .b import Base\n"
    "class Net(Base):\n    def __init__(self):\n        super().__init__()\n" + LAYERS,
    "src/pkg/b.py": "from torch import nn\nfrom pkg.sub import Root\nimport lib.bad\n"
    "class Base(Root):\n    def __init__(self):\n        super().__init__()\n" + LAYERS,
    "src/pkg/sub/__init__.py": "from lib.deep import X\nclass Root(X): ...\n",
    "lib/deep.py": "import pkg.a\nfrom torch import nn\nclass X(nn.Module): ...\n",
    "lib/bad.py": "def f(:\n",
}


def test_what_is_imported_is_known_and_not_reported(tree: Tree) -> None:
    root = tree(BASES)
    for _ in range(2):  # the second time out of the cache
        report = check(Request(("src/pkg/a.py",))).report
        assert [each.name for each in report.findings] == ["Net.layers"]
        assert (report.files, report.notes) == (("src/pkg/a.py",), ())
    (root / "lib" / "deep.py").write_text("class X: ...\n")
    assert check(Request(("src/pkg/a.py",))).report.findings == ()


class Counted(dict[str, bytes]):
    """The bytes of files, and how often each is asked for."""

    def __init__(self, files: dict[str, str]) -> None:
        super().__init__({name: text.encode() for name, text in files.items()})
        self.asked: Counter[str] = Counter()

    def __getitem__(self, name: str) -> bytes:
        self.asked[name] += 1
        return super().__getitem__(name)


def test_what_is_checked_is_not_read_twice(tree: Tree) -> None:
    files = {name: text.replace(LAYERS, "") for name, text in BASES.items()}
    root = tree(files)
    read = Counted(files)
    report = check_paths(["."], Settings(root=root), overlay=read)
    sources = sorted(name for name in files if name.endswith(".py"))
    assert read.asked == Counter(sources)
    assert [*report.files, *(note.path for note in report.notes)] == [
        *(name for name in sources if name != "lib/bad.py"),
        "lib/bad.py",
    ]
