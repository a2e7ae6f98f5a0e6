"""A change to a repository: all of it or nothing."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from scaffolder import journal
from scaffolder.errors import BadInput, MachineFailure
from scaffolder.journal import Change, apply, exclusive

OLD, NEW = "old\n", "new\n"
CHANGES = [
    Change(PurePosixPath("src/layers/gate.py"), None, NEW),
    Change(PurePosixPath("tests/test_gate.py"), None, NEW),
    Change(PurePosixPath("index.py"), OLD, NEW),
    Change(PurePosixPath("manifest.yml"), OLD, NEW),
]
BEFORE = {"index.py": OLD, "manifest.yml": OLD}
AFTER = {str(change.path): NEW for change in CHANGES}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return fresh(tmp_path / "repository")


def files(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_all_changes_are_written_and_nothing_else_is_left(root: Path) -> None:
    with exclusive(root):
        apply(root, CHANGES)
    assert files(root) == AFTER
    assert not (root / ".nnscaffold-journal").exists()


@pytest.mark.parametrize("obstacle", ["src", "tests"])
def test_a_change_that_fails_half_way_is_undone(root: Path, obstacle: str) -> None:
    (root / obstacle).write_text("a file where a folder must be")
    before = files(root)
    with exclusive(root), pytest.raises(MachineFailure, match="cannot be written"):
        apply(root, CHANGES)
    assert files(root) == before
    assert not (root / "src" / "layers").exists()


def test_a_full_disk_leaves_everything_as_it_was(small_disk: Path) -> None:
    for name, text in BEFORE.items():
        (small_disk / name).write_text(text)
    large = Change(PurePosixPath("large.py"), None, "x" * 10_000_000)
    with exclusive(small_disk), pytest.raises(MachineFailure, match="No space left"):
        apply(small_disk, [*CHANGES, large])
    assert files(small_disk) == BEFORE


# The steps on the disk, each of which a kill can come before.
STEPS = ("fsync", "rename", "replace", "mkdir", "unlink", "rmdir")


def change(root: Path) -> None:
    with exclusive(root):
        apply(root, CHANGES)


def recover(root: Path) -> None:
    with exclusive(root):
        pass


def killed(action: Callable[[Path], None], root: Path, step: int) -> bool:
    """Let a process do this and kill itself before its n-th step; say whether it came so far."""
    child = os.fork()
    if child == 0:
        left = step

        def counted(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **named: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments, **named)

            return call

        try:
            for name in STEPS:
                setattr(os, name, counted(getattr(os, name)))
            action(root)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def fresh(root: Path, obstacle: str | None = None) -> Path:
    root.mkdir()
    for name, text in BEFORE.items():
        (root / name).write_text(text)
    if obstacle:
        (root / obstacle).write_text("in the way")
    return root


def killed_half_way(root: Path) -> None:
    """Leave a journal, as a command does that is killed while it changes files."""
    for step in itertools.count():
        assert killed(change, root, step)
        if files(root).get("src/layers/gate.py") == NEW:
            return
        recover(root)


@pytest.mark.slow
@pytest.mark.parametrize("obstacle", [None, "tests"])
def test_a_kill_at_any_step_leaves_the_old_state_or_the_new_for_the_next_command(
    tmp_path: Path, obstacle: str | None
) -> None:
    """With an obstacle the change fails half way, and the kill falls into its undoing, too.

    The next command can be killed, too, and the one after that puts it right.
    """
    outcomes = []
    for step in itertools.count():
        for next_step in itertools.count():
            root = fresh(tmp_path / f"{step}-{next_step}", obstacle)
            was_killed = killed(change, root, step)
            if obstacle:
                (root / obstacle).unlink(missing_ok=True)
            was_killed_again = killed(recover, root, next_step)
            recover(root)
            assert files(root) in (BEFORE, AFTER), (step, next_step)
            assert not (root / ".nnscaffold-journal").exists(), (step, next_step)
            if not was_killed_again:
                break
        outcomes.append(files(root))
        if not was_killed:
            break
    assert outcomes[0] == BEFORE
    assert outcomes[-1] == (BEFORE if obstacle else AFTER)
    assert len(outcomes) > 15


def test_what_is_undone_leaves_no_folder(root: Path) -> None:
    killed_half_way(root)
    assert (root / "src" / "layers").is_dir()
    recover(root)
    assert files(root) == BEFORE
    assert not (root / "src").exists()


def test_a_second_interrupt_while_undoing_loses_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal then stays, and the next command undoes the rest."""
    replace = os.replace

    def interrupted(source: Path, target: Path) -> None:
        if Path(target).name == "manifest.yml" or Path(source).suffix == ".before":
            raise KeyboardInterrupt
        replace(source, target)

    with exclusive(root):
        monkeypatch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            apply(root, CHANGES)
        monkeypatch.undo()
    assert (root / "index.py").read_text() == NEW
    recover(root)
    assert files(root) == BEFORE


@pytest.mark.parametrize("path", ["../victim", "/tmp/victim", "link/victim"])
def test_a_journal_that_came_with_a_repository_writes_nothing_outside(
    root: Path, path: str
) -> None:
    folder = root / ".nnscaffold-journal"
    folder.mkdir()
    (root / "link").symlink_to(root.parent)
    (folder / "0.before").write_text("mine now")
    (folder / "journal.json").write_text(json.dumps([{"path": path, "new": False, "after": "x"}]))
    with pytest.raises(BadInput, match="outside"), exclusive(root):
        pass
    assert not (root.parent / "victim").exists()
    assert not Path("/tmp/victim").exists()


def test_a_git_repository_keeps_the_journal_where_no_commit_takes_it(root: Path) -> None:
    (root / ".git").mkdir()
    killed_half_way(root)
    assert (root / ".git" / "nnscaffold-journal" / "journal.json").exists()
    assert not (root / ".nnscaffold-journal").exists()
    recover(root)
    assert files(root) == BEFORE


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"path": 1}]', '{"path": "x"}'])
def test_a_journal_of_something_else_is_named(root: Path, text: str) -> None:
    folder = root / ".nnscaffold-journal"
    folder.mkdir()
    (folder / "journal.json").write_text(text)
    with pytest.raises(BadInput, match="nnscaffold did not write"):
        recover(root)


def test_a_file_keeps_its_mode(root: Path) -> None:
    (root / "index.py").chmod(0o600)
    with exclusive(root):
        apply(root, CHANGES)
    assert (root / "index.py").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("path", ["src/layers/gate.py", "index.py"])
def test_what_was_edited_after_a_kill_is_not_overwritten(root: Path, path: str) -> None:
    killed_half_way(root)
    (root / path).write_text("edited\n")
    with pytest.raises(BadInput, match="edited since"), exclusive(root):
        pass
    assert (root / path).read_text() == "edited\n"


def test_a_second_command_waits_for_the_first(root: Path) -> None:
    code = f"""
        import pathlib, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_journal import CHANGES
        from scaffolder.journal import apply, exclusive
        print("started", flush=True)
        with exclusive(pathlib.Path(sys.argv[1])):
            apply(pathlib.Path(sys.argv[1]), CHANGES)
    """
    with exclusive(root):
        second = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(root)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert second.stdout is not None
        assert second.stdout.readline() == "started\n"
        assert files(root) == BEFORE
    assert second.wait(300) == 0
    assert files(root) == AFTER


def test_a_command_that_waits_too_long_says_so_and_writes_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with exclusive(root):
        monkeypatch.setattr(journal, "_TIMEOUT_SECONDS", 0.0)
        with pytest.raises(MachineFailure) as busy, exclusive(root):
            apply(root, CHANGES)
    assert busy.value.code == "repository-busy"
    assert files(root) == BEFORE


def test_line_endings_and_missing_last_newlines_survive_an_undo(root: Path) -> None:
    (root / "index.py").write_bytes(b"old\r\nlast")
    (root / "tests").write_text("in the way")
    changes = [
        Change(PurePosixPath("index.py"), "old\r\nlast", NEW),
        Change(PurePosixPath("tests/test_gate.py"), None, NEW),
    ]
    with exclusive(root), pytest.raises(MachineFailure):
        apply(root, changes)
    assert (root / "index.py").read_bytes() == b"old\r\nlast"


def test_a_repository_that_cannot_be_written_is_named(root: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    root.chmod(0o555)
    with exclusive(root), pytest.raises(MachineFailure, match="Permission denied"):
        apply(root, CHANGES)
