"""Reports for people and for programs."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nnscaffold.check.finding import Edit, Finding, Fix, Span
from nnscaffold.check.fixing import Change
from nnscaffold.check.reporting import document, github, sarif, text
from nnscaffold.check.run import Report
from nnscaffold.check.sources import Note
from nnscaffold.contract.rules import RULES

PLACE = Span(3, 8, 3, 14)


def report(line: str = "    x = [1, 2]", span: Span = PLACE, **changes: Any) -> Report:
    insertion = Edit(Span(3, 8, 3, 8), "nn.ModuleList(")
    fix = Fix("Wrap it", (insertion,), ("x.*",))
    one = Finding(RULES["NN103"], "a b.py", span, "`x` is a plain list", "Net.x", fix)
    one = replace(one, **changes)
    return Report(
        (one,), (Note("c.py", 2, "not valid Python"),), ("a b.py",), {("a b.py", 3): line}
    )


def lines(of: Report) -> list[str]:
    return text.render(of).splitlines()


def test_text_shows_the_place() -> None:
    assert lines(report()) == [
        "a b.py:3:9: NN103 `x` is a plain list  [fixable with --fix]",
        "    x = [1, 2]",
        "        ^~~~~~",
        "c.py:2: note not valid Python",
        "Found 1 error in 1 of 1 file; 1 fixable with `--fix`.",
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\n::error file=x::b.py", "a\\n::error file=x::b.py"),
        ("a\r\t\x1b[2J\x85.py", r"a\r\t\x1b[2J\x85.py"),
        ("a\u2028\u202e.py", r"a\u2028\u202e.py"),
        ("a\udce9.py", r"a\udce9.py"),
        ("ü, 100 %: b\\c.py", "ü, 100 %: b\\c.py"),
    ],
)
def test_text_has_a_line_for_each_finding_whatever_its_file_is_called(
    name: str, shown: str
) -> None:
    odd = replace(report(path=name, message="a\nb"), notes=(Note(name, 2, "c\nd"),), lines={})
    assert lines(odd)[:2] == [
        f"{shown}:3:9: NN103 a\\nb  [fixable with --fix]",
        f"{shown}:2: note c\\nd",
    ]


@pytest.mark.parametrize(
    ("line", "span", "source", "mark"),
    [
        ("\tx = [", Span(3, 5, 4, 1), "    x = [", "        ^"),
        ("x\t= [1]", Span(3, 4, 3, 7), "    x\t= [1]", "     \t  ^~~"),
        ("中 = [1]", Span(3, 4, 3, 7), "    中 = [1]", "         ^~~"),
        ("x = [1]", Span(3, 4, 3, 4), "    x = [1]", "        ^"),
        ("y" * 300 + "[1]", Span(3, 300, 3, 303), "    " + "y" * 40 + "[1]", " " * 44 + "^~~"),
        ("z" * 300, Span(3, 2, 3, 300), "    " + "z" * 110, "      ^" + "~" * 107),
    ],
)
def test_marks_lie_under_what_they_mean(line: str, span: Span, source: str, mark: str) -> None:
    assert lines(report(line, span))[1:3] == [source, mark]


def test_a_summary_counts() -> None:
    assert text.summary(Report(files=("a", "b"))) == "No findings in 2 files."
    one = report().findings[0]
    warning = replace(one, rule=RULES["NN404"], path="b", fix=None)
    many = Report((one, one, one, warning), (), tuple("abcdefghij"))
    found = "Found 3 errors and 1 warning in 2 of 10 files; 3 fixable with `--fix`."
    assert text.summary(many) == found
    counted = ["".join(part for part, _ in line) for line in text.statistics(many)]
    assert counted == ["     3 NN103 module-in-container", "     1 NN404 host-sync"]


def test_json_has_all_of_it() -> None:
    described = document.describe(report())
    assert json.loads(json.dumps(described)) == {
        "files": 1,
        "findings": [
            {
                "code": "NN103",
                "name": "module-in-container",
                "severity": "error",
                "path": "a b.py",
                "line": 3,
                "column": 9,
                "end_line": 3,
                "end_column": 15,
                "subject": "Net.x",
                "message": "`x` is a plain list",
                "explanation": "Keep modules in `nn.ModuleList` or `nn.ModuleDict`.",
                "documentation": "nnscaffold explain NN103",
                "fix": {
                    "summary": "Wrap it",
                    "edits": [
                        {
                            "line": 3,
                            "column": 9,
                            "end_line": 3,
                            "end_column": 9,
                            "text": "nn.ModuleList(",
                        }
                    ],
                    "new_keys": ["x.*"],
                },
            }
        ],
        "notes": [{"path": "c.py", "line": 2, "message": "not valid Python"}],
    }


def test_json_of_fixes_has_diffs_and_the_code_for_checkpoints() -> None:
    change = Change("a b.py", b"x = 1\r\ny", b"x = 2\r\ny")
    described = document.describe_fixes(report().findings, [change])
    assert described["new_keys"] == [
        {"path": "a b.py", "class": "Net", "keys": ["x.*"], "codes": ["NN103"]}
    ]
    assert "def upgrade_state_dict(model, state_dict):" in described["migration"]
    assert described["changed"][0]["diff"] == (
        "--- a/a b.py\n+++ b/a b.py\n@@ -1,2 +1,2 @@\n-x = 1\r\n+x = 2\r\n y\n"
        "\\ No newline at end of file\n"
    )


@pytest.mark.parametrize(
    "name", ["a\nb.py", 'q"\\.py', "a\t.py", "ü\x7f.py", os.fsdecode(b"\xe9.py"), "plain ü.py"]
)
def test_git_applies_a_diff_whatever_its_file_is_called(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(b"x = 1\r\ny\x0c")
    monkeypatch.chdir(tmp_path)
    patch = document.diff(Change(name, b"x = 1\r\ny\x0c", b"x = 2\r\ny\x0c"))
    subprocess.run(["git", "apply"], input=patch.encode(), check=True)
    assert (tmp_path / name).read_bytes() == b"x = 2\r\ny\x0c"


def test_github_commands_are_escaped() -> None:
    odd = report(message="50 %\nof: it, all", path="a:b,c%.py")
    first, note = github.render(odd).splitlines()
    assert first == (
        "::error file=a%3Ab%2Cc%25.py,line=3,endLine=3,col=9,endColumn=15,"
        "title=NN103 module-in-container::50 %25%0Aof: it, all. "
        "Keep modules in `nn.ModuleList` or `nn.ModuleDict`."
    )
    assert note == "::notice file=c.py,title=nnscaffold,line=2::not valid Python"
    several_lines = github.render(report(span=Span(3, 8, 5, 1)))
    assert "line=3,endLine=5,title=" in several_lines


def test_github_finds_a_file_wherever_the_command_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def places(path: str) -> tuple[str, str]:
        one = replace(report(path=path), notes=())
        (result,) = json.loads(sarif.render(one, "1"))["runs"][0]["results"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        return github.render(one).partition("file=")[2].partition(",")[0], uri

    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    outside = f"{tmp_path.parent}/a.py"
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    assert places("a.py") == ("a.py", "a.py")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    assert places("a.py") == ("sub/a.py", "sub/a.py")
    assert places(f"{tmp_path}/..a.py") == ("..a.py", "..a.py")
    assert places(outside) == (outside, f"file://{outside}")


def sarif_schema() -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location(
        "sarif_schema", Path(__file__).with_name("sarif_schema.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    schema: dict[str, Any] = module.SCHEMA
    return schema


def test_sarif_is_what_the_standard_says() -> None:
    import jsonschema

    absolute = replace(report().findings[0], path="/tmp/ü.py", fix=None, name="")
    both = replace(report(), findings=(*report().findings * 2, absolute))
    found = json.loads(sarif.render(both, "1.2.3"))
    jsonschema.validate(found, sarif_schema())
    (run,) = found["runs"]
    first, second, third = run["results"]
    driver = run["tool"]["driver"]
    assert driver["rules"][first["ruleIndex"]]["id"] == "NN103"
    assert "plain list" in driver["rules"][first["ruleIndex"]]["help"]["markdown"]
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b.py"
    assert place["region"] == {"startLine": 3, "startColumn": 9, "endLine": 3, "endColumn": 15}
    (change,) = first["fixes"][0]["artifactChanges"]
    assert change["replacements"][0]["insertedContent"]["text"] == "nn.ModuleList("
    assert first["partialFingerprints"] != second["partialFingerprints"]
    uri = third["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "file:///tmp/%C3%BC.py"
    (notification,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notification["message"]["text"] == "not valid Python."


def test_a_finding_keeps_its_fingerprint_when_its_line_moves() -> None:
    def fingerprint(of: Report) -> Any:
        return json.loads(sarif.render(of, "1"))["runs"][0]["results"][0]["partialFingerprints"]

    moved = report(span=Span(9, 8, 9, 14))
    moved = replace(moved, lines={("a b.py", 9): "        x = [1, 2]"})
    assert fingerprint(moved) == fingerprint(report())
