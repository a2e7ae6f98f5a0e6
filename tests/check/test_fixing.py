"""Fixes: exact edits, until nothing is left, and all files or none."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nnscaffold.check.errors import WriteFailed
from nnscaffold.check.finding import Edit, Finding, Fix, Span
from nnscaffold.check.fixing import (
    MAX_ROUNDS,
    Change,
    Outcome,
    apply_edits,
    apply_fixes,
    fix,
    write_changes,
)
from nnscaffold.check.run import Report
from nnscaffold.check.session import Request, Result, check
from nnscaffold.contract.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable

    Tree = Callable[..., Path]

FIXED = "        self.layers = nn.ModuleList([nn.Linear(2, 2)])\n"


def run(*paths: str, how: str = "write", **options: Any) -> Result:
    return check(Request(paths or (".",), fix=how, use_cache=False, **options))


def edit(line: int, start: int, end: int, text: str) -> Edit:
    return Edit(Span(line, start, line, end), text)


def finding(*edits: Edit) -> Finding:
    return Finding(RULES["NN103"], "a.py", edits[0].span, "Wrong", fix=Fix("Do it", edits))


def test_a_file_is_fixed_and_then_has_nothing_to_fix(tree: Tree, net: str) -> None:
    root = tree({"a.py": net, "b.py": "x = 1\n"})
    result = run()
    assert [each.rule.code for each in result.outcome.fixed] == ["NN103"]  # type: ignore[union-attr]
    assert result.report.findings == ()
    fixed = (root / "a.py").read_text()
    assert fixed == "".join(net.splitlines(keepends=True)[:-1]) + FIXED
    again = run()
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


def test_positions_are_characters(tree: Tree, net: str) -> None:
    text = net.replace("self.layers =", "é = '😀'; self.layers =")
    root = tree({"a.py": text})
    run()
    assert "é = '😀'; self.layers = nn.ModuleList([nn.Linear(2, 2)])" in (root / "a.py").read_text()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_marks_and_encodings_stay(tree: Tree, net: str, encoding: str) -> None:
    head = "# coding: latin-1\n# é\n" if encoding == "latin-1" else "# é\n"
    text = (head + net).replace("\n", "\r\n").replace("    ", "\t")
    root = tree({"a.py": text.encode(encoding)})
    run()
    changed = text.replace("[nn.Linear(2, 2)]", "nn.ModuleList([nn.Linear(2, 2)])")
    assert (root / "a.py").read_bytes() == changed.encode(encoding)


def test_an_edit_that_fixes_share_is_made_once(tree: Tree, net: str) -> None:
    text = net.replace("from torch import nn\n", "from torch.nn import Linear, Module\n")
    text = (
        (text + "        self.more = [nn.Linear(2, 2)]\n").replace("nn.L", "L").replace("nn.M", "M")
    )
    root = tree({"a.py": text})
    run()
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


def test_what_had_to_wait_is_made_in_the_next_round(tree: Tree, net: str) -> None:
    text = net.replace("[nn.Linear(2, 2)]", "[nn.Linear(2, 2)]  # noqa: NN404")
    root = tree({"a.py": text})
    result = run()
    assert result.outcome is not None
    assert {each.rule.code for each in result.outcome.fixed} == {"NN103", "unused-noqa"}
    assert (root / "a.py").read_text().endswith(FIXED)


def wrong(path: str, text: str) -> Finding:
    """A finding whose fix puts a text at the beginning of the file."""
    return replace(finding(edit(1, 0, 0, text)), path=path)


def fixed(*found: Finding) -> Outcome:
    """What fixing comes to where each check finds all of this again."""
    report = Report(found)
    outcome = fix(lambda changed: report, report)
    write_changes(outcome.changes)
    return outcome


def test_a_result_that_is_no_python_is_not_written(tree: Tree) -> None:
    root = tree({"bad.py": "x = 1\n", "good.py": "x = 1\n"})
    outcome = fixed(wrong("bad.py", "def ("), wrong("good.py", "y = 2\n"))
    assert (root / "bad.py").read_text() == "x = 1\n"
    assert "y = 2\n" in (root / "good.py").read_text()
    (note,) = outcome.report.notes
    assert (note.path, note.message.split(":")[0]) == ("bad.py", "not fixed")
    assert {each.path for each in outcome.fixed} == {"good.py"}


def test_a_result_that_its_encoding_cannot_hold_is_not_written(tree: Tree) -> None:
    root = tree({"bad.py": b"# coding: latin-1\nx = 1\n"})
    outcome = fixed(wrong("bad.py", "# coding: latin-1 \u4e2d\n"))
    assert (root / "bad.py").read_bytes() == b"# coding: latin-1\nx = 1\n"
    assert len(outcome.report.notes) == 1


def test_fixes_that_never_end_are_ended(tree: Tree) -> None:
    root = tree({"a.py": "x = 1\n"})
    fixed(wrong("a.py", "y = 2\n"))
    assert (root / "a.py").read_text() == "y = 2\n" * MAX_ROUNDS + "x = 1\n"


def test_what_is_silenced_or_known_is_not_fixed(tree: Tree, net: str) -> None:
    silent = net.rstrip() + "  # noqa: NN103\n"
    root = tree({"a.py": silent, "b.py": net})
    check(Request(("b.py",), write_baseline=Path("known.json")))
    run(baseline=Path("known.json"))
    assert ((root / "a.py").read_text(), (root / "b.py").read_text()) == (silent, net)
    run(ignore=("NN103",))
    assert (root / "b.py").read_text() == net


def test_showing_writes_nothing(tree: Tree, net: str) -> None:
    root = tree({"a.py": net})
    result = run(how="show")
    assert result.outcome is not None
    assert result.outcome.changes[0].after.decode().endswith(FIXED)
    assert (root / "a.py").read_text() == net


def test_modes_and_links_stay(tree: Tree, net: str) -> None:
    root = tree({"real/a.py": net})
    (root / "real" / "a.py").chmod(0o750)
    (root / "link.py").symlink_to("real/a.py")
    run("link.py")
    assert (root / "link.py").is_symlink()
    assert "ModuleList" in (root / "real" / "a.py").read_text()
    assert stat.S_IMODE((root / "real" / "a.py").stat().st_mode) == 0o750


def test_a_read_only_file_keeps_all_as_they_are(tree: Tree, net: str) -> None:
    root = tree({"a.py": net, "b.py": net})
    (root / "b.py").chmod(0o444)
    with pytest.raises(WriteFailed, match=r"b\.py is read-only; no file was changed"):
        run()
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
    other = Path("/proc/self/comm")  # a file beside which not even root can make another one
    with pytest.raises(WriteFailed, match="no file was changed"):
        write_changes(
            [Change("a.py", b"a\n", b"x\n"), Change(str(other), other.read_bytes(), b"y\n")]
        )
    assert (root / "a.py").read_text() == "a\n"
    assert sorted(path.name for path in root.iterdir()) == ["a.py", "folder"]


def test_a_name_as_long_as_names_can_be_is_no_obstacle(tree: Tree, net: str) -> None:
    name = "n" * 252 + ".py"
    root = tree({name: net})
    run(name)
    assert "ModuleList" in (root / name).read_text()
