"""Checks of files and texts: what is found, what is silenced, what is only noted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import nnscaffold.check
from nnscaffold.check import Settings, check_paths, check_source
from nnscaffold.check.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Callable

    Tree = Callable[..., Path]


def codes(report: nnscaffold.check.Report) -> list[str]:
    return [finding.rule.code for finding in report.findings]


def test_findings_have_their_lines(tree: Tree, net: str) -> None:
    tree({"pkg/net.py": net, "other.py": "x = 1\n"})
    report = check_paths(["."], Settings())
    (finding,) = report.findings
    assert (finding.path, finding.span.line, finding.name) == ("pkg/net.py", 7, "Net.layers")
    assert report.lines == {("pkg/net.py", 7): "        self.layers = [nn.Linear(2, 2)]"}
    assert report.files == ("other.py", "pkg/net.py")


def test_settings_and_comments_decide_what_is_reported(tree: Tree, net: str) -> None:
    silent = net.rstrip() + "  # noqa: NN103\n"
    tree({"a.py": net, "tests/b.py": net, "c.py": silent})
    settings = Settings(per_file_ignores=(("tests/**", ("NN103",)),))
    assert [each.path for each in check_paths(["."], settings).findings] == ["a.py"]
    off = Settings(ignore=("NN103",))
    assert codes(check_paths(["."], off)) == []
    elsewhere = Settings(select=("NN404", "unused-noqa"))
    assert codes(check_paths(["c.py"], elsewhere)) == []


def test_what_cannot_be_checked_is_noted_and_the_rest_is_checked(tree: Tree, net: str) -> None:
    tree(
        {
            "a.py": net,
            "bad.py": "def f(:\n",
            "bytes.py": b"x = '\xff'\n",
            "deep.py": f"x = {'(' * 5000}{')' * 5000}\n",
            "template.py": "{% if a %}\nx = (\n",
        }
    )
    report = check_paths(["."], Settings())
    assert codes(report) == ["NN103"]
    assert [(note.path, note.line) for note in report.notes] == [
        ("bad.py", 1),
        ("bytes.py", None),
        ("deep.py", report.notes[2].line),
    ]


def test_a_file_that_the_analysis_cannot_follow_is_noted(tree: Tree, net: str) -> None:
    method = f"\n    def forward(self, x):\n        return x{' + 1' * 1500}\n"
    tree({"a.py": net + method, "b.py": net})
    report = check_paths(["a.py", "b.py"], Settings())
    assert [note.message for note in report.notes] == ["nested too deeply to be checked"]
    assert (report.files, codes(report)) == (("b.py",), ["NN103"])


def test_progress_ends_at_its_end(tree: Tree) -> None:
    tree({"a.py": "", "b.py": "(", "c.py": ""})
    steps: list[tuple[int, int]] = []
    check_paths(["."], Settings(), progress=lambda *step: steps.append(step))
    assert steps[-1] == (6, 6)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_a_file_that_changes_during_the_check_is_noted(tree: Tree, net: str) -> None:
    root = tree({"a.py": net})
    cache = Cache()
    check_paths(["a.py"], Settings(), cache=cache)

    def change(done: int, of: int) -> None:
        (root / "a.py").write_text("x = 1\n")

    report = check_paths(["a.py"], Settings(), cache=cache, progress=change)
    assert [note.message for note in report.notes] == ["not checked: it has changed meanwhile"]


def test_a_text_is_checked_by_itself() -> None:
    (finding,) = check_source("x = 1  # noqa: NN103\n", "net.py")
    assert (finding.path, finding.rule.code) == ("net.py", "unused-noqa")
    assert check_source("x = 1  # noqa: NN103\n", settings=Settings(ignore=("ALL",))) == []
    assert check_source("# coding: latin-1\nx = 'é'\n") == []
    with pytest.raises(ValueError, match="not valid Python"):
        check_source("def f(:\n")


def test_what_is_public_is_imported_when_it_is_asked_for() -> None:
    import subprocess

    code = "import sys, nnscaffold.check; print('nnscaffold.check.run' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"
    for name in ("Edit", "Finding", "Fix", "Report", "Settings", "Span", "check_paths"):
        assert getattr(nnscaffold.check, name).__name__ == name
    with pytest.raises(AttributeError):
        _ = nnscaffold.check.nothing
