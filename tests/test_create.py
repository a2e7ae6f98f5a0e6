"""`nnscaffold new project`: a whole repository, or none."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scaffolder.create import create_project
from scaffolder.errors import BadInput, MachineFailure
from scaffolder.git import git


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to make repositories in, and to be in: this checkout has an identity, too."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    monkeypatch.chdir(workspace)
    return workspace


def test_a_repository_is_made_and_committed(workspace: Path) -> None:
    project = create_project(workspace / "digits", {})
    assert git("status", "--porcelain", cwd=project.path) == ""
    assert git("log", "--format=%an %s", cwd=project.path).startswith("Ada Example Start from")
    tracked = git("ls-files", cwd=project.path).split()
    assert sorted(project.files) == sorted(tracked)
    assert entries(workspace) == ["digits"]


def test_the_folder_and_the_user_suggest_the_answers(workspace: Path) -> None:
    answers = create_project(workspace / "my-Vision repo", {}).answers
    assert answers["project_name"] == "my-Vision repo"
    assert answers["package"] == "my_vision_repo"
    assert (answers["author_name"], answers["author_email"]) == ("Ada Example", "ada@example.org")


def test_without_an_identity_the_author_commits(workspace: Path, home: Path) -> None:
    (home / ".gitconfig").unlink()
    project = create_project(workspace / "digits", {"author_name": "Grace"})
    assert git("log", "--format=%an", cwd=project.path) == "Grace\n"


def test_signing_and_hooks_of_the_user_do_not_touch_the_first_commit(
    workspace: Path, home: Path
) -> None:
    hook = home / "hooks" / "pre-commit"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with (home / ".gitconfig").open("a") as config:
        config.write(f"[core]\n\thooksPath = {hook.parent}\n[commit]\n\tgpgSign = true\n")
    create_project(workspace / "digits", {})
    assert entries(workspace) == ["digits"]


def test_without_git_there_are_the_files_only(workspace: Path) -> None:
    project = create_project(workspace / "digits", {}, commit=False)
    assert not (project.path / ".git").exists()
    assert (project.path / "pyproject.toml").is_file()


def test_a_dry_run_shows_the_same_files_and_writes_nothing(workspace: Path) -> None:
    shown = create_project(workspace / "deep" / "digits", {}, dry_run=True)
    assert entries(workspace) == []
    made = create_project(workspace / "deep" / "digits", {})
    assert shown.files == made.files


def test_an_empty_folder_is_taken(workspace: Path) -> None:
    (workspace / "digits").mkdir()
    create_project(workspace / "digits", {})
    assert (workspace / "digits" / "pyproject.toml").is_file()


def test_missing_folders_above_are_made_and_unmade(workspace: Path) -> None:
    with pytest.raises(BadInput):
        create_project(workspace / "a" / "b" / "digits", {"package": "torch"})
    assert entries(workspace) == []
    create_project(workspace / "a" / "b" / "digits", {})
    assert entries(workspace / "a" / "b") == ["digits"]


def test_a_folder_with_anything_in_it_is_refused(workspace: Path) -> None:
    (workspace / "digits").mkdir()
    (workspace / "digits" / ".keep").touch()
    with pytest.raises(BadInput, match="not empty"):
        create_project(workspace / "digits", {})
    assert entries(workspace / "digits") == [".keep"]


@pytest.mark.parametrize("kind", ["file", "dangling link", "link to an empty folder"])
def test_what_is_not_a_folder_is_refused(workspace: Path, tmp_path: Path, kind: str) -> None:
    target = workspace / "digits"
    (tmp_path / "empty").mkdir()
    if kind == "file":
        target.touch()
    else:
        target.symlink_to("nowhere" if kind == "dangling link" else tmp_path / "empty")
    with pytest.raises(BadInput, match="not a folder"):
        create_project(target, {})
    assert entries(workspace) == ["digits"]


def test_a_file_above_the_target_is_refused(workspace: Path) -> None:
    (workspace / "file").touch()
    with pytest.raises(BadInput) as refused:
        create_project(workspace / "file" / "digits", {})
    assert refused.value.code == "target-not-writable"


def test_a_place_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(BadInput) as refused:
        create_project(Path("/proc/digits"), {})
    assert refused.value.code == "target-not-writable"


def test_the_current_folder_is_refused(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    with pytest.raises(BadInput, match="folder you are in"):
        create_project(Path(), {})


@pytest.mark.parametrize(
    ("answers", "code", "named"),
    [
        ({"package": "torch"}, "answer-invalid", "package"),
        ({"license": "GPL"}, "answer-invalid", "license"),
        ({"packge": "digits"}, "answer-unknown", "Did you mean 'package'"),
        ({"description": "a\x00b"}, "answer-invalid", "description"),
        ({"slurm": "maybe"}, "answer-invalid", "Write yes or no"),
        ({"docker": ""}, "answer-invalid", "'docker'"),
        ({"docker": "no", "ssh_server": "2"}, "answer-invalid", "'ssh_server'"),
        ({"base_image": "UPPER/x"}, "answer-invalid", "'base_image'"),
        ({"exports": "onnx"}, "answer-invalid", "'exports' .* Write a list"),
        ({"exports": "[onnx, tflite]"}, "answer-invalid", "'exports' .*'tflite'"),
        ({"exports": "[triton]"}, "answer-invalid", "triton needs onnx"),
    ],
)
def test_a_refused_answer_is_named_and_nothing_is_written(
    workspace: Path, answers: dict[str, str], code: str, named: str
) -> None:
    with pytest.raises(BadInput, match=named) as refused:
        create_project(workspace / "digits", answers)
    assert refused.value.code == code
    assert entries(workspace) == []


@pytest.mark.parametrize(("said", "meant"), [("YES", True), ("n", False), ("1", True)])
def test_yes_and_no_are_taken_as_people_write_them(workspace: Path, said: str, meant: bool) -> None:
    assert create_project(workspace / "digits", {"slurm": said}).answers["slurm"] is meant


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("/nowhere/at/all", "cannot be used"),
        ("https://localhost:1/template.git", "cannot be used"),
        ("https://ada:secret@example.org/template.git", "password"),
        ("https://secret@example.org/template.git", "token"),
    ],
)
def test_a_template_that_is_not_available_is_named(
    workspace: Path, source: str, sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence) as refused:
        create_project(workspace / "digits", {}, source=source)
    assert "secret" not in str(refused.value)
    assert entries(workspace) == []


def test_a_template_in_a_plain_folder_is_refused(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "copier.yml").write_text("{}")
    with pytest.raises(BadInput, match="is not a git repository"):
        create_project(workspace / "digits", {}, source=str(tmp_path / "plain"))


def test_a_template_that_runs_commands_is_refused(workspace: Path, tmp_path: Path) -> None:
    team = tmp_path / "team"
    team.mkdir()
    (team / "copier.yml").write_text(f"_tasks: ['touch {tmp_path}/ran']\n")
    git("init", "-q", cwd=team)
    git("add", "-A", cwd=team)
    git("commit", "-q", "-m", "x", cwd=team)
    with pytest.raises(BadInput, match="run commands of its own"):
        create_project(workspace / "digits", {}, source=str(team))
    assert not (tmp_path / "ran").exists()
    assert entries(workspace) == []


def test_a_template_with_changes_in_no_commit_is_refused(workspace: Path, tmp_path: Path) -> None:
    team = tmp_path / "team"
    team.mkdir()
    (team / "copier.yml").write_text("package: {type: str, default: x}\n")
    git("init", "-q", cwd=team)
    git("add", "-A", cwd=team)
    git("commit", "-q", "-m", "x", cwd=team)
    (team / "new").write_text("not committed")
    with pytest.raises(BadInput, match="uncommitted changes"):
        create_project(workspace / "digits", {}, source=str(team))
    git("add", "-A", cwd=team)
    git("commit", "-q", "-m", "y", cwd=team)
    with pytest.raises(BadInput, match="without a list of modules"):
        create_project(workspace / "digits", {}, source=str(team))
    assert entries(workspace) == []


def test_what_git_ignores_everywhere_is_committed_all_the_same(workspace: Path, home: Path) -> None:
    (home / "ignored").write_text("*.toml\n")
    with (home / ".gitconfig").open("a") as config:
        config.write(f"[core]\n\texcludesFile = {home / 'ignored'}\n")
    project = create_project(workspace / "digits", {})
    assert "pyproject.toml" in git("ls-files", cwd=project.path).split()


def test_a_hardened_git_can_make_a_repository(workspace: Path, home: Path) -> None:
    shutil.rmtree(home / ".nnscaffold")
    with (home / ".gitconfig").open("a") as config:
        config.write("[safe]\n\tbareRepository = explicit\n")
    create_project(workspace / "digits", {})
    assert entries(workspace) == ["digits"]


def test_a_suggestion_that_the_template_refuses_is_dropped(workspace: Path, home: Path) -> None:
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@localhost\n")
    answers = create_project(workspace / ("x" * 70), {"package": "x"}).answers
    assert answers["author_email"] == ""
    assert answers["project_name"] == "Digit classifier"


def test_a_name_that_no_disk_can_hold_is_refused(workspace: Path) -> None:
    with pytest.raises(BadInput, match="File name too long"):
        create_project(workspace / ("x" * 300), {})


def test_a_corrupt_store_is_made_again(workspace: Path, home: Path) -> None:
    store = home / ".nnscaffold" / "template.bundle"
    whole = store.read_bytes()
    store.write_bytes(whole[: len(whole) // 2])
    create_project(workspace / "digits", {})
    assert store.with_suffix(".bundle.corrupt").is_file()


def test_an_unknown_version_is_named(workspace: Path) -> None:
    with pytest.raises(BadInput, match="v9"):
        create_project(workspace / "digits", {}, version="v9")


def test_a_full_disk_leaves_nothing(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(b"x" * 8_300_000)
    with pytest.raises((MachineFailure, BadInput)) as failed:
        create_project(small_disk / "digits", {})
    assert "No space left" in failed.value.message
    assert entries(small_disk) == ["ballast"]


def count_files(folders: list[Path]) -> int:
    """Count the files in folders that somebody may be filling or removing."""
    return sum(len(files) for folder in folders for _, _, files in os.walk(folder))


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_the_whole_repository_or_none(workspace: Path) -> None:
    command = [sys.executable, "-m", "scaffolder", "new", "project", str(workspace / "digits")]
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    whole = count_files([workspace / "digits"])
    expected = git("ls-files", cwd=workspace / "digits")
    rename_away = 0
    moments = random.Random(0)
    outcomes, seen_unfinished = set(), False
    for _ in range(12):
        if (workspace / "digits").exists():
            (workspace / "digits").rename(workspace.parent / f"whole-{rename_away}")
            rename_away += 1
        before = entries(workspace)
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # By how far it is, git's own files included: the time that this takes differs by the
        # moment on a busy machine. At times it is left to end.
        written = moments.uniform(0, 1.2) * whole
        while process.poll() is None:
            if (
                count_files([path for path in workspace.iterdir() if path.name not in before])
                > written
            ):
                os.killpg(process.pid, signal.SIGKILL)
                break
            time.sleep(0.005)
        process.wait()
        seen_unfinished |= any(name.endswith("-unfinished") for name in entries(workspace))
        if (workspace / "digits").exists():
            assert git("status", "--porcelain", cwd=workspace / "digits") == ""
            assert git("ls-files", cwd=workspace / "digits") == expected
            outcomes.add("whole")
        else:
            outcomes.add("none")
    if (workspace / "digits").exists():
        (workspace / "digits").rename(workspace.parent / "last")
    # What the killed commands left beside the target goes with the commands after them. On a busy
    # machine a killed git can still be writing when the first of these comes.
    for attempt in range(5):
        subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        if entries(workspace) == ["digits"]:
            break
        (workspace / "digits").rename(workspace.parent / f"after-{attempt}")
    assert entries(workspace) == ["digits"]
    assert "none" in outcomes
    assert seen_unfinished, "some kill must fall between the first write and the last"


def test_the_answers_file_is_plain_for_copier(workspace: Path) -> None:
    project = create_project(workspace / "digits", {})
    text = (project.path / ".copier-answers.yml").read_text()
    assert '_src_path: "~/.nnscaffold/template.bundle"' in text
    lines = [line for line in text.splitlines() if line.startswith("- ")]
    assert lines
    assert all(json.loads(line.removeprefix("- ")) for line in lines)


@pytest.mark.parametrize("name", [".git", ".GIT"])
def test_a_template_that_writes_into_gits_own_folder_is_refused(
    workspace: Path, tmp_path: Path, name: str
) -> None:
    team = tmp_path / "team"
    folder = team / "template" / f"{{{{ '{name}' }}}}"
    folder.mkdir(parents=True)
    ran = tmp_path / "ran"
    (folder / "config").write_text(f'[core]\n\tfsmonitor = "touch {ran}; false"\n')
    (team / "copier.yml").write_text("_subdirectory: template\n")
    git("init", "-q", cwd=team)
    git("add", "-A", cwd=team)
    git("commit", "-q", "-m", "x", cwd=team)
    with pytest.raises(BadInput) as refused:
        create_project(workspace / "digits", {}, source=str(team))
    assert refused.value.code == "template-unsafe"
    assert not ran.exists()
    assert entries(workspace) == []
