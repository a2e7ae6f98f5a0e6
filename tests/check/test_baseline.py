"""A baseline: what was there before is not reported."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nnscaffold.check.errors import BadRequest, WriteFailed
from nnscaffold.check.session import Request, Result, check

if TYPE_CHECKING:
    from collections.abc import Callable

    Tree = Callable[..., Path]

KNOWN = Path("known.json")


def run(*paths: str, **options: Any) -> Result:
    return check(Request(paths or (".",), use_cache=False, **options))


def test_known_findings_are_not_reported_wherever_their_lines_move(tree: Tree, net: str) -> None:
    root = tree({"a.py": net, "b.py": net})
    written = run(write_baseline=KNOWN)
    assert (written.recorded, written.report.findings) == (2, ())
    (root / "a.py").write_text("import os\n\n" + net.replace("        self.l", "          self.l"))
    assert run(baseline=KNOWN).report.findings == ()


def test_one_more_of_a_kind_is_new(tree: Tree, net: str) -> None:
    root = tree({"a.py": net})
    run(write_baseline=KNOWN)
    (root / "a.py").write_text(net + net)
    (new,) = run(baseline=KNOWN).report.findings
    assert new.span.line == 14


def test_entries_that_are_fixed_are_counted(tree: Tree, net: str) -> None:
    root = tree({"a.py": net, "b.py": net, "c.py": net})
    run(write_baseline=KNOWN)
    (root / "a.py").write_text("")
    (root / "b.py").unlink()
    assert run(baseline=KNOWN).outdated == 2
    assert run("c.py", baseline=KNOWN).outdated == 1  # a.py was not looked at
    assert run(baseline=KNOWN, select=("NN404",)).outdated == 1


def test_it_is_the_same_for_the_same_findings(tree: Tree, net: str) -> None:
    root = tree({"b.py": net, "a/a.py": net})
    run(write_baseline=KNOWN)
    first = KNOWN.read_bytes()
    run("b.py", str(root / "a"), write_baseline=KNOWN)
    assert KNOWN.read_bytes() == first
    paths = [each["path"] for each in json.loads(first)["findings"]]
    assert paths == ["a/a.py", "b.py"]


def test_it_can_be_a_setting(tree: Tree, net: str) -> None:
    tree({"pyproject.toml": '[tool.nnscaffold.check]\nbaseline = "known.json"\n', "s/a.py": net})
    with pytest.raises(BadRequest, match="--write-baseline"):
        run()
    run(write_baseline=KNOWN)
    assert run("s").report.findings == ()


ENTRY = {"path": "a.py", "code": "NN103", "name": "Net.layers", "text": "x", "count": 1}


@pytest.mark.parametrize(
    "content",
    [
        "",
        [],
        {},
        {"schema": 2},
        {"schema": 1, "findings": [3]},
        {"schema": 1, "findings": {"a": 1}},
        {"schema": 1, "findings": [{**ENTRY, "count": -1}]},
        {"schema": 1, "findings": [{**ENTRY, "count": float("inf")}]},
        {"schema": 1, "findings": [{**ENTRY, "count": True}]},
        {"schema": 1, "findings": [{**ENTRY, "path": 3}]},
        {"schema": 1, "findings": [{**ENTRY, "more": "x"}]},
        {"schema": 1, "findings": [{"count": 1}]},
    ],
)
def test_what_is_not_a_baseline_is_bad_input(tree: Tree, content: Any) -> None:
    root = tree({"a.py": "", "known.json": json.dumps(content) if content != "" else ""})
    before = KNOWN.read_bytes()
    for option in ("baseline", "write_baseline"):
        with pytest.raises(BadRequest, match="not a baseline"):
            run(**{option: KNOWN})
    assert (root / KNOWN).read_bytes() == before


@pytest.mark.parametrize("option", ["baseline", "write_baseline"])
def test_what_is_not_a_regular_file_is_bad_input(tree: Tree, option: str) -> None:
    root = tree({"a.py": ""})
    os.mkfifo(root / "pipe")  # to read it, or /dev/zero, would not end
    (root / "loop").symlink_to("loop")
    for name in ("pipe", "/dev/zero", "loop", ".", ""):
        with pytest.raises(BadRequest, match="not a regular file"):
            run(**{option: Path(name)})


def test_a_link_and_a_mode_stay(tree: Tree, net: str) -> None:
    root = tree({"a.py": net, "kept/known.json": '{"schema": 1, "findings": []}'})
    KNOWN.symlink_to("kept/known.json")
    KNOWN.chmod(0o640)
    run(write_baseline=KNOWN)
    assert KNOWN.is_symlink()
    assert stat.S_IMODE(KNOWN.stat().st_mode) == 0o640
    assert len(json.loads((root / "kept" / "known.json").read_text())["findings"]) == 1
    assert [path.name for path in (root / "kept").iterdir()] == ["known.json"]


def test_a_read_only_one_is_not_replaced(tree: Tree, net: str) -> None:
    tree({"a.py": net, "known.json": '{"schema": 1, "findings": []}'})
    KNOWN.chmod(0o444)
    with pytest.raises(WriteFailed, match="read-only"):
        run(write_baseline=KNOWN)
    assert json.loads(KNOWN.read_text())["findings"] == []


def test_one_that_cannot_be_written_is_the_machines_failure(tree: Tree) -> None:
    tree({"a.py": ""})
    with pytest.raises(WriteFailed, match="cannot be written"):
        run(write_baseline=Path("missing/known.json"))
