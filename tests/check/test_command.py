"""`nnscaffold check` and `nnscaffold explain` as programs."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Tree = Callable[..., Path]
    Run = Callable[..., subprocess.CompletedProcess[str]]

# The one finding that needs no analysis of modules.
IDLE = "x = 1  # noqa: NN103\n"
MESSAGE = "a.py:1:8: unused-noqa The comment silences nothing: there is no `NN103` here"


def parse(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["schema"] == 1
    return found


def test_findings_end_with_1_and_none_with_0(nnscaffold: Run, tree: Tree) -> None:
    root = tree({"a.py": IDLE, "b.py": "x = 1\n"})
    shown = nnscaffold("check", cwd=root, code=1).stdout.splitlines()
    assert shown == [
        f"{MESSAGE}  [fixable with --fix]",
        "    x = 1  # noqa: NN103",
        "           ^~~~~~~~~~~~~",
        "",
        "Found 1 warning in 1 of 2 files; 1 fixable with `--fix`.",
    ]
    assert nnscaffold("check", "b.py", cwd=root).stdout == "No findings in 1 file.\n"
    assert nnscaffold("check", "-q", cwd=root, code=1).stdout == ""
    assert nnscaffold("check", "--ignore", "ALL", cwd=root).stdout == "No findings in 2 files.\n"
    counted = nnscaffold("check", "--statistics", cwd=root, code=1).stdout
    assert counted.splitlines()[0] == "     1 unused-noqa"


def test_notes_are_no_findings(nnscaffold: Run, tree: Tree) -> None:
    root = tree({"a.py": "def f(:\n"})
    assert "a.py:1: note not valid Python" in nnscaffold("check", cwd=root).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nope.py"], "There is no file or folder nope.py."),
        (["--select", "NN10Z"], "`--select` names `NN10Z`"),
        (["--format", "xml"], "xml"),
        (["--baseline", "none.json"], "none.json cannot be read"),
        (["-", "a.py"], "`-` stands alone"),
        (["-", "--fix"], "Standard input cannot be rewritten."),
        (["-", "--stdin-filename", ""], "--stdin-filename '' is not a file"),
        (["-", "--stdin-filename", "."], "--stdin-filename '.' is not a file"),
    ],
)
def test_wrong_input_ends_with_2(
    nnscaffold: Run, tree: Tree, arguments: list[str], words: str
) -> None:
    root = tree({"a.py": IDLE})
    result = nnscaffold("check", *arguments, cwd=root, code=2)
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    as_json = nnscaffold("check", *arguments, "--json", cwd=root, code=2)
    assert parse(as_json)["ok"] is False


def as_other_user(*command: str) -> list[str]:
    """A command whose process cannot read what modes forbid, though we may be root."""
    if os.geteuid():
        return [*command]
    as_other = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    if not shutil.which("setpriv") or subprocess.run([*as_other, "true"], check=False).returncode:
        pytest.skip("root may read everything, and setpriv may not take that away here")
    return [*as_other, *command]


@pytest.fixture
def closed(tree: Tree) -> Iterator[Path]:
    """A tree with a folder and a file that cannot be read."""
    root = tree({"in/a.py": IDLE, "in/shut/b.py": IDLE, "in/closed.py": IDLE, "known.json": ""})
    for path in ("in/shut", "in/closed.py", "known.json"):
        (root / path).chmod(0)
    yield root
    (root / "in" / "shut").chmod(0o700)  # so that pytest can remove it


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["in/shut"], 2, "Error: in/shut cannot be read: Permission denied."),
        (["in/a.py", "in/shut"], 2, "Error: in/shut cannot be read: Permission denied."),
        (["in/shut/b.py"], 2, "Error: in/shut/b.py cannot be read: Permission denied."),
        (["in/closed.py"], 2, "Error: in/closed.py cannot be read: Permission denied."),
        (["--baseline", "known.json"], 2, "Path 'known.json' is not readable."),
        (["--write-baseline", "in/shut/k.json"], 3, "k.json cannot be written: Permission denied."),
        (["in"], 1, "in/shut: note cannot be read: Permission denied"),
        (["in"], 1, "in/closed.py: note cannot be read: Permission denied"),
    ],
)
def test_a_path_that_cannot_be_read(
    closed: Path, arguments: list[str], code: int, words: str
) -> None:
    command = as_other_user(sys.executable, "-m", "scaffolder", "check", *arguments)
    result = subprocess.run(command, cwd=closed, capture_output=True, text=True, check=False)
    assert (result.returncode, words in result.stdout + result.stderr) == (code, True), result
    assert len(result.stderr.splitlines()) == (code != 1)


def test_errors_are_json_where_that_is_the_format(nnscaffold: Run, tree: Tree) -> None:
    root = tree({"a.py": IDLE})
    for option in (["--format", "json"], ["--format=json"]):
        result = nnscaffold("check", "nope.py", *option, cwd=root, code=2)
        assert parse(result)["error"]["code"] == "path-missing"


def test_formats_for_programs(nnscaffold: Run, tree: Tree) -> None:
    root = tree({"a.py": IDLE})
    for option in (["--json"], ["--format", "json"]):
        result = parse(nnscaffold("check", *option, cwd=root, code=1))
        (found,) = result["result"]["findings"]
        assert (found["code"], found["line"], found["column"]) == ("unused-noqa", 1, 8)
    annotations = nnscaffold("check", "--format", "github", cwd=root, code=1).stdout
    assert annotations.startswith("::warning file=a.py,line=1,")
    log = json.loads(nnscaffold("check", "--format", "sarif", cwd=root, code=1).stdout)
    assert len(log["runs"][0]["results"]) == 1
    assert nnscaffold("check", "--format", "github", "--select", "NN1", cwd=root).stdout == ""


def test_fixes_are_shown_or_written(nnscaffold: Run, tree: Tree) -> None:
    root = tree({"a.py": IDLE})
    shown = nnscaffold("check", "--diff", cwd=root, code=1).stdout
    assert "-x = 1  # noqa: NN103\n+x = 1\n" in shown
    assert "Would fix 1 warning." in shown
    assert (root / "a.py").read_text() == IDLE
    described = parse(nnscaffold("check", "--diff", "--json", cwd=root, code=1))["result"]
    assert described["changed"][0]["path"] == "a.py"
    fixed = nnscaffold("check", "--fix", cwd=root).stdout
    assert fixed == "Fixed 1 warning.\nNo findings in 1 file.\n"
    assert (root / "a.py").read_text() == "x = 1\n"


def test_a_read_only_file_ends_with_3(nnscaffold: Run, tree: Tree) -> None:
    root = tree({"a.py": IDLE})
    (root / "a.py").chmod(0o444)
    result = nnscaffold("check", "--fix", cwd=root, code=3)
    assert result.stderr == (
        "Error: a.py is read-only; no file was changed. Make it writable, or check without --fix.\n"
    )


def test_a_baseline_is_written_and_read(nnscaffold: Run, tree: Tree) -> None:
    root = tree({"a.py": IDLE})
    written = nnscaffold("check", "--write-baseline", "known.json", cwd=root).stdout
    assert written == "Wrote 1 finding to known.json.\n"
    nnscaffold("check", "--baseline", "known.json", cwd=root)
    (root / "a.py").write_text("")
    shown = nnscaffold("check", "--baseline", "known.json", cwd=root).stdout
    assert "Fixed since the baseline was written: 1. Write it again." in shown


def test_standard_input_is_checked_under_a_name(tree: Tree, home: Path) -> None:
    root = tree({"pyproject.toml": '[tool.nnscaffold.check]\nexclude = ["gen"]\n', "gen/a.py": ""})

    def check(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "scaffolder", "check", "-", *arguments]
        return subprocess.run(
            command, cwd=root, input=IDLE, capture_output=True, text=True, check=False
        )

    result = check()
    assert (result.returncode, result.stdout.splitlines()[0][:19]) == (1, "<stdin>:1:8: unused")
    assert check("--stdin-filename", "pkg/a.py").stdout.startswith("pkg/a.py:1:8")
    assert "+x = 1\n" in check("--diff").stdout
    assert check("--stdin-filename", "gen/a.py").returncode == 0
    assert not (root / ".nnscaffold_cache").exists()


def test_check_imports_nothing_that_it_does_not_need(tree: Tree) -> None:
    root = tree({"a.py": IDLE})
    code = """
        import sys
        sys.argv = ["nnscaffold", *sys.argv[1:]]
        from scaffolder.cli.main import main
        try:
            main()
        finally:
            heavy = {"torch", "copier", "jinja2", "yaml", "pydantic", "rich"}
            print(sorted(heavy & sys.modules.keys()))
    """
    for arguments in (["check"], ["check", "--format", "sarif"], ["check", "-h"], ["explain"]):
        command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
        result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert result.stdout.endswith("[]\n")


def test_the_checker_needs_the_standard_library_alone() -> None:
    code = """
        import sys
        before = set(sys.modules)
        import pkgutil, importlib, nnscaffold.check
        for each in pkgutil.walk_packages(nnscaffold.check.__path__, "nnscaffold.check."):
            importlib.import_module(each.name)
        roots = {name.partition(".")[0] for name in set(sys.modules) - before}
        print(sorted(roots - sys.stdlib_module_names - {"nnscaffold"}))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_progress_is_shown_on_a_terminal_after_a_second(tree: Tree) -> None:
    root = tree({"a.py": ""})
    code = """
        import sys, time
        from scaffolder.cli.output import Output
        shown, write = [], sys.stderr.write
        sys.stderr.write = lambda text: (shown.append(text), write(text))
        with Output().counter("Checking") as count:
            count(1, 4)
            assert not shown
            limit = time.monotonic() + 20
            while not shown and time.monotonic() < limit:
                count(2, 4)
    """
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=root, stderr=theirs, check=True
    )
    os.close(theirs)
    assert os.read(ours, 1000) == b"\rChecking: 50 %\r\x1b[K"


def test_a_rule_is_explained(nnscaffold: Run, home: Path) -> None:
    shown = nnscaffold("explain", "NN103").stdout
    assert shown.startswith("NN103 module-in-container  error\nFound by: check, tests")
    assert "nn.ModuleList" in shown
    assert nnscaffold("explain", "module-in-container").stdout == shown
    described = parse(nnscaffold("explain", "NN103", "--json"))["result"]
    assert (described["code"], described["fixable"]) == ("NN103", True)
    listed = nnscaffold("explain").stdout
    assert "NN103" in listed
    assert "unused-noqa" in listed
    assert len(parse(nnscaffold("explain", "--json"))["result"]["rules"]) > 30
    unknown = nnscaffold("explain", "NN13", code=2).stderr
    assert "Did you mean" in unknown


def test_the_beginning_of_codes_lists_rules(nnscaffold: Run, home: Path) -> None:
    listed = nnscaffold("explain", "nn5").stdout.splitlines()
    assert [line.split()[1:2] for line in listed] == [
        ["unpicklable-attribute"],
        ["deprecated-torchscript"],
    ]
    described = parse(nnscaffold("explain", "NN5", "--json"))["result"]
    assert [rule["code"] for rule in described["rules"]] == ["NN501", "NN502"]


@pytest.mark.parametrize("arguments", [["--json"], ["--json", "--diff"], ["--json", "--fix"]])
@pytest.mark.parametrize("text", [IDLE, "x = 1\n", "def f(:\n"])
def test_ok_and_the_exit_code_say_the_same(tree: Tree, text: str, arguments: list[str]) -> None:
    root = tree({"a.py": text})
    command = [sys.executable, "-m", "scaffolder", "check", *arguments]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == (text == IDLE and arguments[-1] != "--fix")
    assert parse(result)["ok"] is (result.returncode == 0)


ODD = [b"a\n::error::b.py", b"100%,c:d.py", b"\xe9.py", "ü\u202e.py".encode(), b"\x1b[2J.py"]


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "cp1252"])
def test_files_may_have_any_name(tree: Tree, encoding: str) -> None:
    root = tree({os.fsdecode(name): IDLE for name in ODD})

    def check(*arguments: str) -> str:
        result = subprocess.run(
            [sys.executable, "-m", "scaffolder", "check", *arguments],
            cwd=root,
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            check=False,
        )
        assert (result.returncode, result.stderr) == (1, b"")
        return result.stdout.decode(encoding)

    found = [line for line in check().split("\n") if "unused-noqa The" in line]
    umlaut = r"\xfc" if encoding == "ascii" else "ü"
    assert {line.partition(".py:")[0] for line in found} == {
        r"a\n::error::b",
        "100%,c:d",
        r"\udce9",
        rf"{umlaut}\u202e",
        r"\x1b[2J",
    }
    annotations = check("--format", "github").splitlines()
    assert len(annotations) == len(ODD)
    assert all(line.startswith("::warning file=") for line in annotations)
    for option in (["--json"], ["--format", "sarif"]):
        text = check(*option)
        assert text.isascii()
        json.loads(text)


@pytest.mark.parametrize(
    ("streams", "arguments", "code"),
    [
        ("<&-", "", 1),
        (">&-", "", 1),
        ("2>&-", "", 1),
        ("<&- >&- 2>&-", "", 1),
        (">&-", "--json", 1),
        ("2>&-", "nope", 2),
        (">&- 2>&-", "nope --json", 2),
        ("<&-", "-", 2),
        ("| head -c 1", "", 1),
        ("| head -c 1", "--format sarif", 1),
        (">/dev/full", "", 1),
    ],
)
def test_streams_may_be_closed(tree: Tree, streams: str, arguments: str, code: int) -> None:
    root = tree({"a.py": IDLE})
    line = f"{sys.executable} -m scaffolder check {arguments} {streams}; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", line], cwd=root, capture_output=True, check=False)
    assert result.returncode == code
    assert b"Traceback" not in result.stdout + result.stderr
    assert (b"Error: Standard input is closed." in result.stderr) == (arguments == "-")


def test_a_diff_that_is_not_for_a_terminal_can_be_applied(tree: Tree) -> None:
    before = f"y = 2\r\n\x0c\r\n{IDLE.strip()}\r\n".encode()
    root = tree({"a.py": before})
    line = f"{sys.executable} -m scaffolder check --diff | git apply"
    subprocess.run(["bash", "-c", line], cwd=root, check=True)
    assert (root / "a.py").read_bytes() == before.replace(b"  # noqa: NN103", b"")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--json", "--format", "sarif"], "--json and --format sarif differ."),
        (["--statistics", "--format", "github"], "--format github has no --statistics."),
        (["--statistics", "--json"], "--json has no --statistics."),
        (["--baseline", "k.json", "--write-baseline", "k.json"], "records all findings"),
        (["--fix", "--write-baseline", "known.json"], "--write-baseline and --fix"),
        (["--stdin-filename", "x.py", "a.py"], "--stdin-filename is given without `-`."),
        ([""], "A path is empty."),
        (["--select", "NN208"], "which only running a module can find"),
        (["--write-baseline", "a.py"], "a.py"),
    ],
)
def test_what_would_be_ignored_or_lost_is_refused(
    nnscaffold: Run, tree: Tree, arguments: list[str], message: str
) -> None:
    root = tree({"a.py": IDLE})
    result = nnscaffold("check", *arguments, cwd=root, code=2)
    assert message in result.stdout + result.stderr
    assert [path.name for path in root.iterdir() if path.suffix != ".toml"] == ["a.py"]
    assert (root / "a.py").read_text() == IDLE
