"""The command line on a terminal: it asks, it colours, it can be interrupted."""

from __future__ import annotations

import sys
from pathlib import Path

import pexpect
import pytest

COMMAND = f"{sys.executable} -m scaffolder"
FIRST_QUESTION = "What the model lea"
SECONDS = 300  # after which a test that waits has failed, on a busy machine too


def start(arguments: str, cwd: Path, **environment: str) -> pexpect.spawn[str]:
    import os

    return pexpect.spawn(
        f"{COMMAND} {arguments}",
        cwd=str(cwd),
        env={**os.environ, **environment},
        encoding="utf-8",
        timeout=SECONDS,
        dimensions=(40, 120),
    )


def finish(terminal: pexpect.spawn[str]) -> tuple[str, int]:
    terminal.expect(pexpect.EOF)
    shown = str(terminal.before)
    terminal.close()
    assert terminal.exitstatus is not None
    return shown, terminal.exitstatus


def test_a_project_asks_its_questions_and_takes_typed_answers(tmp_path: Path) -> None:
    terminal = start("new project digits -d ci=none", tmp_path)
    terminal.expect(FIRST_QUESTION)
    terminal.sendline("")
    terminal.expect("What people call the project")
    terminal.sendline("\x15Handwriting")  # Ctrl-U empties the suggested answer
    terminal.expect("Name of the Python package")
    terminal.sendline("")
    # More than there are questions: what is not asked is not read.
    for _ in range(30):
        terminal.sendline("")
    shown, code = finish(terminal)
    assert code == 0, shown
    assert "Made" in shown
    answers = (tmp_path / "digits" / ".copier-answers.yml").read_text()
    assert 'project_name: "Handwriting"' in answers
    assert 'package: "handwriting"' in answers


def test_ctrl_c_at_a_question_writes_nothing(tmp_path: Path) -> None:
    terminal = start("new project digits", tmp_path)
    terminal.expect(FIRST_QUESTION)
    terminal.sendintr()
    shown, code = finish(terminal)
    assert code == 130
    assert "Traceback" not in shown
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_layer_without_a_kind_asks_for_it(repository: Path) -> None:
    terminal = start("new layer Gate", repository)
    terminal.expect("Kind")
    terminal.sendline("attention")
    shown, code = finish(terminal)
    assert code == 0
    assert "of kind attention" in shown


def test_a_bad_name_is_refused_before_anything_is_asked(repository: Path) -> None:
    shown, code = finish(start("new layer gate", repository))
    assert code == 2
    assert "cannot name a module" in shown


@pytest.mark.parametrize(
    ("arguments", "environment", "coloured"),
    [("", {}, True), ("--no-color", {}, False), ("", {"NO_COLOR": "1"}, False)],
)
def test_colours_are_for_terminals_that_want_them(
    repository: Path, arguments: str, environment: dict[str, str], coloured: bool
) -> None:
    shown, _ = finish(start(f"kinds {arguments}", repository, **environment))
    assert ("\033[" in shown) is coloured


def test_a_project_without_questions_shows_progress(tmp_path: Path) -> None:
    shown, code = finish(start("new project digits --defaults", tmp_path))
    assert code == 0
    assert "Rendering the repository" in shown
