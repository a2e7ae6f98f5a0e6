"""`make preview`: what a change of the template means for the repositories that it makes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scaffolder.git import git

ROOT = Path(__file__).resolve().parent.parent
TREE = "template/project"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone of this project with a smaller template."""
    folder = tmp_path / "checkout"
    for name in ("scaffolder", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    write(
        folder,
        "copier.yml",
        "_subdirectory: template/project\nmodules: {type: yaml, default: []}\n",
    )
    write(folder, "copier.yml", question("extra", "type: bool, default: false"))
    write(
        folder,
        "copier.yml",
        question("exports", "type: str, multiselect: true, choices: [a, b], default: []"),
    )
    write(
        folder,
        f"{TREE}/{{{{ _copier_conf.answers_file }}}}.jinja",
        "{{ _copier_answers | to_nice_yaml }}",
    )
    write(folder, f"{TREE}/README.md.jinja", "Exports: {{ exports | length }}\n")
    write(folder, f"{TREE}/{{% if extra %}}extra.md{{% endif %}}", "Extra\n")
    git("init", "-q", cwd=folder)
    commit(folder)
    return folder


def question(name: str, details: str) -> str:
    return f"{name}: {{{details}}}\n"


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def commit(folder: Path) -> None:
    git("add", "-A", cwd=folder)
    git("commit", "-q", "-m", "x", cwd=folder)


def preview(checkout: Path, *arguments: str, code: int = 0) -> str:
    result = subprocess.run(
        [sys.executable, "tools/preview.py", *arguments],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == code, result.stderr
    return result.stdout + result.stderr


def test_a_change_is_summed_up_and_shown(checkout: Path) -> None:
    write(checkout, f"{TREE}/README.md.jinja", "One line more\n")
    printed = preview(checkout)
    # In a file that comes out in two forms.
    assert printed.count("+One line more\n") == 2
    assert printed.index("2 files changed, 2 insertions(+)") < printed.index("diff --git")


def test_a_difference_is_shown_once_and_one_in_a_part_is_shown_too(checkout: Path) -> None:
    write(checkout, f"{TREE}/{{% if extra %}}extra.md{{% endif %}}", "More of it\n")
    write(checkout, f"{TREE}/notes.md", "New\n")
    printed = preview(checkout)
    assert printed.count("+New\n") == printed.count("+More of it\n") == 1
    assert "after/all-parts/extra.md" in printed


def test_each_task_is_shown(checkout: Path) -> None:
    write(
        checkout, "copier.yml", question("task", "choices: {A: digits, B: table}, default: digits")
    )
    commit(checkout)
    write(checkout, f"{TREE}/{{% if task == 'table' %}}table.py{{% endif %}}", "x = 1\n")
    assert "after/task-table/table.py" in preview(checkout)


def test_without_a_change_it_says_so(checkout: Path) -> None:
    write(checkout, "README.md", "Not of the template\n")
    assert preview(checkout) == "The repositories are the same.\n"


def test_another_commit_and_other_answers_can_be_chosen(checkout: Path) -> None:
    write(checkout, "copier.yml", question("task", "type: str, default: digits"))
    write(checkout, f"{TREE}/README.md.jinja", "Of {{ task }}\n")
    commit(checkout)
    answers = ("-d", "task=tabular", "-d", "exports=[a]")
    assert preview(checkout, *answers) == "The repositories are the same.\n"
    printed = preview(checkout, "--base=HEAD~1", *answers)
    assert printed.startswith("Left out for HEAD~1, whose template refuses it: task\n")
    assert "+Of tabular\n" in printed
    assert " Exports: 1\n" in printed


def test_a_release_can_be_compared_with_though_its_tag_is_not_there(checkout: Path) -> None:
    assert not git("tag", cwd=checkout)
    assert "before/answers/pyproject.toml" in preview(checkout, "--base=v0.2.1", "-d", "extra=no")


def test_the_length_can_be_limited(checkout: Path) -> None:
    write(checkout, f"{TREE}/notes.md", "New\n" * 100)
    lines = preview(checkout, "--lines=5").splitlines()
    assert len(lines) == 6
    assert lines[-1].endswith("lines more")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--base=nope"], "'nope' has no template"),
        (["-d", "nope"], "write -d KEY=VALUE"),
        (["-d", "nope=1"], "has no question 'nope'"),
        (["-d", "extra=perhaps"], "The answer to 'extra' is refused"),
    ],
)
def test_what_cannot_be_shown_is_said(checkout: Path, arguments: list[str], sentence: str) -> None:
    assert sentence in preview(checkout, *arguments, code=2)
