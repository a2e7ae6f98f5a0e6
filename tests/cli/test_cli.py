"""The command line as a program: what is printed where, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scaffolder import __version__

ROOT = Path(__file__).resolve().parents[2]

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., subprocess.CompletedProcess[str]]


def parse(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.stdout)
    assert document["schema"] == 1
    return document


def test_the_version_is_that_of_the_package(nnscaffold: Run) -> None:
    assert nnscaffold("--version").stdout == f"nnscaffold {__version__}\n"


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("new",),
        ("new", "project"),
        ("new", "layer"),
        ("new", "model"),
        ("kinds",),
        ("check",),
        ("explain",),
        ("doctor",),
    ],
)
def test_every_command_has_help(nnscaffold: Run, command: tuple[str, ...]) -> None:
    for flag in ("--help", "-h"):
        assert "Usage: " in nnscaffold(*command, flag).stdout


def test_the_command_line_imports_neither_torch_nor_copier(repository: Path) -> None:
    code = """
        import sys
        sys.argv = ["nnscaffold", *sys.argv[1:]]
        from scaffolder.cli.main import main
        try:
            main()
        finally:
            print(sorted({"torch", "copier", "pydantic", "rich"} & sys.modules.keys()))
    """
    for arguments in (["kinds", "-q"], ["new", "layer", "Gate", "-q"]):
        command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
        result = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
        assert result.stdout == "[]\n"


def test_a_new_project_says_what_to_do_next(nnscaffold: Run, tmp_path: Path) -> None:
    shown = nnscaffold("new", "project", tmp_path / "digits").stdout
    assert shown.startswith(f"Made {tmp_path / 'digits'} from the template at v")
    assert "python -m digits.train" in shown
    assert "\033" not in shown


def test_a_new_layer_says_what_it_did_and_what_to_do_next(
    nnscaffold: Run, repository: Path
) -> None:
    shown = nnscaffold("new", "layer", "Gate", cwd=repository).stdout
    assert "Added the layer Gate of kind linear" in shown  # the default where nobody can be asked
    for line in ("gate.py  new", "__init__.py  changed", "pytest tests/layers/test_gate.py"):
        assert line in shown
    assert "from digits.layers import Gate" in shown


def test_a_dry_run_shows_tree_and_diff(nnscaffold: Run, repository: Path) -> None:
    shown = nnscaffold("new", "layer", "Gate", "--dry-run", cwd=repository).stdout
    assert "Would add" in shown
    assert "gate.py  new" in shown
    assert "+++ b/src/digits/layers/gate.py" in shown
    assert "+from .gate import Gate as Gate" in shown
    assert not (repository / "src/digits/layers/gate.py").exists()


def test_a_dry_run_of_a_project_shows_every_file(nnscaffold: Run, tmp_path: Path) -> None:
    shown = nnscaffold("new", "project", tmp_path / "digits", "--dry-run").stdout
    assert "+++ b/pyproject.toml" in shown
    assert not (tmp_path / "digits").exists()


def test_results_for_programs(nnscaffold: Run, tmp_path: Path) -> None:
    made = parse(nnscaffold("new", "project", tmp_path / "digits", "--json"))
    assert made["ok"] is True
    assert made["command"] == "new project"
    assert "pyproject.toml" in made["result"]["files"]
    added = parse(nnscaffold("new", "layer", "Gate", "--json", cwd=tmp_path / "digits"))
    assert added["result"]["module"] == {
        "name": "Gate",
        "kind": "linear",
        "role": "layer",
        "file": "gate",
    }
    assert "src/digits/layers/gate.py" in added["result"]["created"]
    kinds = parse(nnscaffold("kinds", "--json", cwd=tmp_path / "digits"))
    assert {kind["role"] for kind in kinds["result"]["kinds"]} == {"layer", "model"}


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["new", "layer", "gate"], "name-invalid", "Try 'Gate'"),
        (["new", "layer", "Gate", "--kind", "linaer"], "kind-unknown", "Did you mean 'linear'"),
        (["new", "layer", "Gate", "--knid", "x"], "wrong-usage", "--kind"),
        (["new", "layer"], "wrong-usage", "name"),
        (["new", "lyaer", "Gate"], "wrong-usage", "layer"),
        (["new", "project", "x", "-d", "package"], "answer-malformed", "-d KEY=VALUE"),
        (["new", "project", "x", "-d", "_src_path=y"], "answer-malformed", "-d KEY=VALUE"),
        (["new", "project", "x", "-d", "ci=none", "-d", "ci=none"], "answer-twice", "twice"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_2(
    nnscaffold: Run, repository: Path, arguments: list[str], code: str, sentence: str
) -> None:
    refused = nnscaffold(*arguments, cwd=repository, code=2)
    assert refused.stdout == ""
    assert refused.stderr.startswith("Error: ")
    assert refused.stderr.count("\n") == 1
    assert sentence in refused.stderr
    error = parse(nnscaffold(*arguments, "--json", cwd=repository, code=2))
    assert error["ok"] is False
    assert error["error"]["code"] == code
    assert not (repository / "x").exists()


def test_outside_a_repository_the_kinds_are_those_of_the_tool(
    nnscaffold: Run, tmp_path: Path
) -> None:
    assert "attention" in nnscaffold("kinds", cwd=tmp_path).stdout


def test_outside_a_repository_a_layer_has_nowhere_to_go(nnscaffold: Run, tmp_path: Path) -> None:
    refused = nnscaffold("new", "layer", "Gate", cwd=tmp_path, code=2)
    assert "not inside a repository" in refused.stderr


def test_quiet_prints_nothing(nnscaffold: Run, repository: Path) -> None:
    result = nnscaffold("new", "layer", "Gate", "--quiet", cwd=repository)
    assert result.stdout == result.stderr == ""


def test_a_name_that_is_no_text_is_refused_in_words(repository: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "scaffolder", "new", "layer", b"Gat\xff"],
        cwd=repository,
        capture_output=True,
        check=False,
    )
    assert result.returncode == 2
    assert b"cannot name a module" in result.stderr
    assert b"Traceback" not in result.stderr


def test_a_machine_without_git_says_how_to_get_it(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    result = subprocess.run(
        [sys.executable, "-m", "scaffolder", "new", "project", str(tmp_path / "x")],
        cwd=repository,
        env={"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 3
    assert "Git is not installed" in result.stderr


def test_a_reader_that_stops_early_gets_no_error(repository: Path) -> None:
    command = f"{sys.executable} -m scaffolder new project x --dry-run | head -1"
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (1, "")


def test_inside_a_git_hook_the_right_repository_is_meant(
    nnscaffold: Run, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"GIT_DIR": str(tmp_path / "elsewhere"), "GIT_INDEX_FILE": "elsewhere"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = subprocess.run(
        [sys.executable, "-m", "scaffolder", "new", "project", str(tmp_path / "made"), "-q"],
        cwd=repository,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert result.returncode == 0
    assert (tmp_path / "made" / ".git" / "HEAD").is_file()


def test_the_shell_completes_commands_and_kinds(repository: Path) -> None:
    for words, completed in (
        ("nnscaffold n", "new"),
        ("nnscaffold new layer X --kind at", "attention"),
    ):
        result = subprocess.run(
            [str(Path(sys.executable).parent / "nnscaffold")],
            cwd=repository,
            env=os.environ
            | {
                "_NNSCAFFOLD_COMPLETE": "complete_bash",
                "COMP_WORDS": words,
                "COMP_CWORD": str(words.count(" ")),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert completed in result.stdout.split()


@pytest.mark.parametrize("command", [(), ("new",)])
def test_a_command_that_lacks_its_command_shows_help_and_no_error(
    nnscaffold: Run, command: tuple[str, ...]
) -> None:
    result = nnscaffold(*command, code=2)
    assert "Usage: " in result.stdout
    assert result.stderr == ""


def test_an_error_for_a_reader_that_has_gone_is_no_traceback(repository: Path) -> None:
    command = f"{sys.executable} -m scaffolder new layer gate --json | true"
    result = subprocess.run(
        ["bash", "-c", command], cwd=repository, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in result.stderr


def test_a_full_output_is_reported_in_a_sentence(repository: Path) -> None:
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "scaffolder", "kinds"],
            cwd=repository,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.returncode == 1
    assert result.stderr == "Error: The output could not be written: No space left on device.\n"


def test_a_folder_that_was_removed_under_one_is_reported_in_a_sentence(tmp_path: Path) -> None:
    command = f"mkdir gone && cd gone && rmdir ../gone && {sys.executable} -m scaffolder kinds"
    result = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 3
    assert "The operating system reported" in result.stderr


def test_next_steps_are_right_from_a_folder_inside(nnscaffold: Run, repository: Path) -> None:
    shown = nnscaffold("new", "layer", "Gate", cwd=repository / "src").stdout
    assert "pytest ../tests/layers/test_gate.py" in shown


def test_completion_never_fetches_a_template(repository: Path, home: Path) -> None:
    shutil.rmtree(home / ".nnscaffold" / "checkouts")
    result = subprocess.run(
        [str(Path(sys.executable).parent / "nnscaffold")],
        cwd=repository,
        env=os.environ
        | {
            "_NNSCAFFOLD_COMPLETE": "complete_bash",
            "COMP_WORDS": "nnscaffold new layer X --kind at",
            "COMP_CWORD": "5",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout.strip(), result.stderr) == ("", "")
    assert not (home / ".nnscaffold" / "checkouts").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_command_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    command = [sys.executable, "-m", "scaffolder", "new", "project", "digits", "--json"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not list(folder.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.005)  # until it has begun to write
    process.send_signal(number)
    shown, _ = process.communicate(timeout=300)
    assert process.returncode == code
    assert list(folder.iterdir()) == []
    if number == signal.SIGINT:
        assert json.loads(shown)["error"]["code"] == "interrupted"


def test_a_closed_output_is_no_traceback(repository: Path) -> None:
    result = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m scaffolder kinds >&-"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_what_could_steer_the_terminal_is_shown_escaped(nnscaffold: Run, repository: Path) -> None:
    refused = nnscaffold("new", "layer", "\x1b]0;x\x07X", cwd=repository, code=2)
    assert "\x1b" not in refused.stderr
    assert "\\x1b]0;x\\x07X" in refused.stderr
