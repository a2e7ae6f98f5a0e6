"""A baseline: what was there before is not reported."""

from __future__ import annotations

import json
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


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "findings": [3]}']
)
def test_what_is_not_a_baseline_is_bad_input(tree: Tree, text: str) -> None:
    tree({"a.py": "", "known.json": text})
    with pytest.raises(BadRequest, match="not a baseline"):
        run(baseline=KNOWN)


def test_one_that_cannot_be_written_is_the_machines_failure(tree: Tree) -> None:
    tree({"a.py": ""})
    with pytest.raises(WriteFailed, match="cannot be written"):
        run(write_baseline=Path("missing/known.json"))
