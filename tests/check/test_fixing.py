"""Fixes: exact edits, until nothing is left, and all files or none."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nnscaffold.check.errors import WriteFailed
from nnscaffold.check.finding import Edit, Finding, Fix, Span
from nnscaffold.check.fixing import Change, apply_edits, apply_fixes, write_changes
from nnscaffold.check.session import Request, Result, check
from nnscaffold.contract.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable

    Tree = Callable[..., Path]

FIXED = "        self.layers = nn.ModuleList([nn.Linear(2, 2)])\n"


def run(toy: Any, *paths: str, how: str = "write", **options: Any) -> Result:
    return check(Request(paths or (".",), fix=how, use_cache=False, **options), analysis=toy)


def edit(line: int, start: int, end: int, text: str) -> Edit:
    return Edit(Span(line, start, line, end), text)


def finding(*edits: Edit) -> Finding:
    return Finding(RULES["NN103"], "a.py", edits[0].span, "Wrong", fix=Fix("Do it", edits))


def test_a_file_is_fixed_and_then_has_nothing_to_fix(tree: Tree, toy: Any, net: str) -> None:
    root = tree({"a.py": net, "b.py": "x = 1\n"})
    result = run(toy)
    assert [each.rule.code for each in result.outcome.fixed] == ["NN103"]  # type: ignore[union-attr]
    assert result.report.findings == ()
    fixed = (root / "a.py").read_text()
    assert fixed == "".join(net.splitlines(keepends=True)[:-1]) + FIXED
    again = run(toy)
    assert again.outcome is not None
    assert again.outcome.changes == ()
    assert (root / "a.py").read_text() == fixed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\r\nb\r\n", "a\r\nX\r\nYb\r\n"),
        ("a\nb", "a\nX\nYb"),
        ("a\rb\r", "a\rX\rYb\r"),
        ("é\x0ca\nb\n", "é\x0ca\nX\nYb\n"),
    ],
)
def test_ends_of_lines_stay(before: str, after: str) -> None:
    assert apply_edits(before, [edit(2, 0, 0, "X\nY")]) == after


def test_positions_are_characters(tree: Tree, toy: Any, net: str) -> None:
    text = net.replace("self.layers =", "é = '😀'; self.layers =")
    root = tree({"a.py": text})
    run(toy)
    assert "é = '😀'; self.layers = nn.ModuleList([nn.Linear(2, 2)])" in (root / "a.py").read_text()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_marks_and_encodings_stay(tree: Tree, toy: Any, net: str, encoding: str) -> None:
    head = "# coding: latin-1\n# é\n" if encoding == "latin-1" else "# é\n"
    text = (head + net).replace("\n", "\r\n").replace("    ", "\t")
    root = tree({"a.py": text.encode(encoding)})
    run(toy)
    changed = text.replace("[nn.Linear(2, 2)]", "nn.ModuleList([nn.Linear(2, 2)])")
    assert (root / "a.py").read_bytes() == changed.encode(encoding)


def test_an_edit_that_fixes_share_is_made_once(tree: Tree, toy: Any, net: str) -> None:
    text = net.replace("from torch import nn\n", "import torch.nn as nn\n")
    root = tree({"a.py": text + "        self.more = [nn.Linear(2, 2)]\n"})
    run(toy)
    fixed = (root / "a.py").read_text()
    assert fixed.count("from torch import nn\n") == 1
    assert fixed.count("nn.ModuleList") == 2


def test_of_fixes_that_overlap_the_first_is_made() -> None:
    first = finding(edit(1, 0, 3, "X"))
    second = finding(edit(1, 2, 4, "Y"))
    third = finding(edit(1, 4, 4, "Z"))
    fourth = finding(edit(1, 4, 4, "W"))
    text, applied = apply_fixes("abcdef\n", [first, second, third, fourth])
    assert (text, applied) == ("XdZef\n", [first, third])


def test_what_had_to_wait_is_made_in_the_next_round(tree: Tree, toy: Any, net: str) -> None:
    text = net.replace("[nn.Linear(2, 2)]", "[nn.Linear(2, 2)]  # noqa: NN404")
    root = tree({"a.py": text})
    result = run(toy)
    assert result.outcome is not None
    assert {each.rule.code for each in result.outcome.fixed} == {"NN103", "unused-noqa"}
    assert (root / "a.py").read_text().endswith(FIXED)


class Breaking:
    """An analysis whose fix of files named `bad` makes no Python."""

    def __init__(self, toy: Any, text: str) -> None:
        self.Index, self.summarise, self._toy, self._text = toy.Index, toy.summarise, toy, text

    def find(self, source: Any, tree: Any, index: Any) -> list[Finding]:
        if "bad" not in source.path:
            found: list[Finding] = self._toy.find(source, tree, index)
            return found
        fix = Fix("Break it", (edit(1, 0, 0, self._text),))
        return [Finding(RULES["NN103"], source.path, Span(1, 0, 1, 1), "Wrong", fix=fix)]


def test_a_result_that_is_no_python_is_not_written(tree: Tree, toy: Any, net: str) -> None:
    root = tree({"bad.py": net, "good.py": net})
    result = run(Breaking(toy, "def ("))
    assert (root / "bad.py").read_text() == net
    assert "ModuleList" in (root / "good.py").read_text()
    (note,) = result.report.notes
    assert (note.path, note.message.split(":")[0]) == ("bad.py", "not fixed")
    assert [each.path for each in result.report.findings] == ["bad.py"]


def test_a_result_that_its_encoding_cannot_hold_is_not_written(tree: Tree, toy: Any) -> None:
    root = tree({"bad.py": b"# coding: latin-1\nx = 1\n"})
    result = run(Breaking(toy, "# coding: latin-1 \u4e2d\n"))
    assert (root / "bad.py").read_bytes() == b"# coding: latin-1\nx = 1\n"
    assert len(result.report.notes) == 1


def test_fixes_that_never_end_are_ended(tree: Tree, toy: Any) -> None:
    root = tree({"bad.py": "x = 1\n"})
    run(Breaking(toy, "y = 2\n"))
    assert (root / "bad.py").read_text() == "y = 2\n" * 10 + "x = 1\n"


def test_what_is_silenced_or_known_is_not_fixed(tree: Tree, toy: Any, net: str) -> None:
    silent = net.rstrip() + "  # noqa: NN103\n"
    root = tree({"a.py": silent, "b.py": net})
    check(Request(("b.py",), write_baseline=Path("known.json")), analysis=toy)
    run(toy, baseline=Path("known.json"))
    assert ((root / "a.py").read_text(), (root / "b.py").read_text()) == (silent, net)
    run(toy, ignore=("NN103",))
    assert (root / "b.py").read_text() == net


def test_showing_writes_nothing(tree: Tree, toy: Any, net: str) -> None:
    root = tree({"a.py": net})
    result = run(toy, how="show")
    assert result.outcome is not None
    assert result.outcome.changes[0].after.decode().endswith(FIXED)
    assert (root / "a.py").read_text() == net


def test_modes_and_links_stay(tree: Tree, toy: Any, net: str) -> None:
    root = tree({"real/a.py": net})
    (root / "real" / "a.py").chmod(0o750)
    (root / "link.py").symlink_to("real/a.py")
    run(toy, "link.py")
    assert (root / "link.py").is_symlink()
    assert "ModuleList" in (root / "real" / "a.py").read_text()
    assert stat.S_IMODE((root / "real" / "a.py").stat().st_mode) == 0o750


def test_a_read_only_file_keeps_all_as_they_are(tree: Tree, toy: Any, net: str) -> None:
    root = tree({"a.py": net, "b.py": net})
    (root / "b.py").chmod(0o444)
    with pytest.raises(WriteFailed, match=r"b\.py is read-only; no file was changed"):
        run(toy)
    assert [path.name for path in sorted(root.iterdir())] == ["a.py", "b.py"]
    assert {path.read_text() for path in root.iterdir()} == {net}


def test_a_file_that_changed_meanwhile_keeps_all_as_they_are(tree: Tree) -> None:
    root = tree({"a.py": "a\n", "b.py": "changed\n"})
    changes = [Change("a.py", b"a\n", b"x\n"), Change("b.py", b"b\n", b"y\n")]
    with pytest.raises(WriteFailed, match="has changed"):
        write_changes(changes)
    assert (root / "a.py").read_text() == "a\n"


def test_a_failure_in_the_middle_keeps_all_as_they_are(tree: Tree) -> None:
    root = tree({"a.py": "a\n", "folder/x": ""})
    name = "n" * 250  # what is written beside it has a name that is too long
    (root / name).write_text("b\n")
    with pytest.raises(WriteFailed, match="no file was changed"):
        write_changes([Change("a.py", b"a\n", b"x\n"), Change(name, b"b\n", b"y\n")])
    assert (root / "a.py").read_text() == "a\n"
    assert sorted(path.name for path in root.iterdir()) == sorted(["a.py", "folder", name])
