"""`make release`: a version, its changelog and its template, recorded together or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scaffolder.bundle import read_header
from scaffolder.git import ISOLATED, git

ROOT = Path(__file__).resolve().parent.parent
PASSING = "def test_template() -> None:\n    assert True\n"
FAILING = "def test_template() -> None:\n    raise AssertionError\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of this project as it stands, whose template's tests take no time."""
    checkout = tmp_path / "checkout"
    for name in ("scaffolder", "template", "tools"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, checkout / name, ignore=ignored)
    for name in ("copier.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, checkout)
    (checkout / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n- A thing.\n")
    (checkout / ".gitignore").write_text("__pycache__/\n.pytest_cache/\nbuild/\n")
    (checkout / "tests" / "template").mkdir(parents=True)
    table = '[template]\ntests = ["tests/template"]\ninputs = ["tests/template/*"]\n'
    (checkout / "tests" / "stages.toml").write_text(table)
    (checkout / ".ci").mkdir()
    (checkout / "tests" / "template" / "test_template.py").write_text(PASSING)
    git("init", "-q", "-b", "main", cwd=checkout)
    commit(checkout)
    return checkout


def commit(checkout: Path) -> None:
    git("add", "-A", cwd=checkout)
    git("commit", "-q", "-m", "work", cwd=checkout)


def release(checkout: Path, version: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "tools/release.py", version],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # a hook below interrupts all that runs, as Ctrl-C does
    )


def write_hook(checkout: Path, name: str, script: str) -> None:
    hook = checkout / ".git" / "hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)


def write_template_test(checkout: Path, statement: str) -> None:
    """Make the template's tests pass, and do something while they run."""
    test = checkout / "tests" / "template" / "test_template.py"
    test.write_text(
        "import subprocess\nfrom pathlib import Path\n\n\n"
        f"def test_template() -> None:\n    {statement}\n"
    )
    commit(checkout)


def state(checkout: Path) -> tuple[str, str, str, bytes]:
    """What a release that fails must leave as it was."""
    bundle = checkout / "scaffolder" / "template.bundle"
    return (
        git("rev-parse", "HEAD", cwd=checkout),
        git("tag", "--list", cwd=checkout),
        changes(checkout),
        bundle.read_bytes() if bundle.exists() else b"",
    )


def changes(checkout: Path) -> str:
    """What git sees as changed, but for the record of the stages, which stays."""
    return git("status", "--porcelain", "--", ".", ":(exclude).ci", cwd=checkout)


def test_a_release_records_version_changelog_template_and_tag(
    checkout: Path, tmp_path: Path
) -> None:
    before = read_header(checkout / "scaffolder" / "template.bundle").tags
    result = release(checkout, "90.0.0")
    assert result.returncode == 0, result.stderr
    assert '__version__ = "90.0.0"' in (checkout / "scaffolder" / "__init__.py").read_text()
    log = (checkout / "CHANGELOG.md").read_text()
    assert "## Unreleased\n\n## 90.0.0 (" in log
    assert log.endswith(")\n\n- A thing.\n")
    assert "template" in json.loads(git("show", "HEAD:.ci/passed.json", cwd=checkout))
    assert git("status", "--porcelain", cwd=checkout) == ""
    assert git("describe", "--exact-match", cwd=checkout).strip() == "v90.0.0"
    bundle = checkout / "scaffolder" / "template.bundle"
    assert read_header(bundle).tags.keys() == {*before, "v90.0.0"}
    git("clone", "-q", str(bundle), str(tmp_path / "history"), environment=ISOLATED)
    assert (tmp_path / "history" / "copier.yml").read_bytes() == (
        checkout / "copier.yml"
    ).read_bytes()


def test_what_takes_too_long_for_every_change_is_tested_before_a_release(checkout: Path) -> None:
    write_template_test(checkout, 'assert __import__("os").environ["NNSCAFFOLD_RELEASE"] == "1"')
    result = release(checkout, "90.0.0")
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_next_release_keeps_the_history(checkout: Path) -> None:
    assert release(checkout, "90.0.0").returncode == 0
    first = read_header(checkout / "scaffolder" / "template.bundle").tags["v90.0.0"]
    text = (checkout / "CHANGELOG.md").read_text()
    (checkout / "CHANGELOG.md").write_text(
        text.replace("## Unreleased\n", "## Unreleased\n\n- B.\n")
    )
    (checkout / "template" / "project" / "NEW").write_text("new\n")
    commit(checkout)
    assert release(checkout, "90.1.0").returncode == 0
    tags = read_header(checkout / "scaffolder" / "template.bundle").tags
    assert tags["v90.0.0"] == first
    assert "v90.1.0" in tags
    log = (checkout / "CHANGELOG.md").read_text()
    assert log.index("90.1.0") < log.index("- B.") < log.index("90.0.0") < log.index("- A thing.")


@pytest.mark.parametrize("version", ["90", "90.0", "v90.0.0", "90.0.0rc1", "", "90.0.0.dev1"])
def test_what_is_not_a_version_is_refused(checkout: Path, version: str) -> None:
    assert "is not a version" in release(checkout, version).stderr


def test_a_version_that_exists_or_is_older_is_refused(checkout: Path) -> None:
    assert release(checkout, "90.0.0").returncode == 0
    assert "released already" in release(checkout, "90.0.0").stderr
    assert "older than v90.0.0" in release(checkout, "89.0.0").stderr


def test_a_tag_that_exists_is_refused(checkout: Path) -> None:
    git("tag", "v90.0.0", cwd=checkout)
    assert "released already" in release(checkout, "90.0.0").stderr


def test_a_dirty_work_tree_is_refused(checkout: Path) -> None:
    (checkout / "new.txt").write_text("not committed")
    assert "new.txt" in release(checkout, "90.0.0").stderr


def test_an_empty_changelog_is_refused(checkout: Path) -> None:
    (checkout / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n## 0.1.0\n\n- Old.\n")
    commit(checkout)
    assert "Unreleased" in release(checkout, "90.0.0").stderr


def test_a_template_whose_tests_fail_is_not_released(checkout: Path) -> None:
    (checkout / "tests" / "template" / "test_template.py").write_text(FAILING)
    commit(checkout)
    head = git("rev-parse", "HEAD", cwd=checkout)
    result = release(checkout, "90.0.0")
    assert result.returncode != 0
    assert "tests fail; nothing was released" in result.stderr
    assert git("rev-parse", "HEAD", cwd=checkout) == head
    assert git("status", "--porcelain", cwd=checkout) == ""
    assert git("tag", cwd=checkout) == ""


def test_what_git_ignores_in_the_template_is_not_released(checkout: Path) -> None:
    ignored = checkout / ".gitignore"
    ignored.write_text(ignored.read_text() + "*.egg-info/\n")
    commit(checkout)
    litter = checkout / "template" / "project" / "digits.egg-info"
    litter.mkdir()
    (litter / "PKG-INFO").write_text("built here\n")
    result = release(checkout, "90.0.0")
    assert result.returncode == 1
    assert "template/project/digits.egg-info/PKG-INFO" in result.stderr
    assert git("tag", "--list", cwd=checkout) == ""


def test_what_a_maintainer_writes_while_the_tests_run_stays(checkout: Path) -> None:
    write_template_test(checkout, 'Path("notes.txt").write_text("an idea")')
    result = release(checkout, "90.0.0")
    assert result.returncode == 1
    assert "notes.txt" in result.stderr
    assert (checkout / "notes.txt").read_text() == "an idea"
    assert git("tag", "--list", cwd=checkout) == ""


def test_what_is_committed_while_the_tests_run_is_not_released(checkout: Path) -> None:
    write_template_test(
        checkout, 'subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "work"])'
    )
    result = release(checkout, "90.0.0")
    assert result.returncode == 1
    assert "new commits" in result.stderr
    assert git("tag", "--list", cwd=checkout) == ""


@pytest.mark.parametrize("earlier", [True, False], ids=["a later release", "the first release"])
def test_a_commit_that_a_hook_refuses_leaves_everything_as_it_was(
    checkout: Path, earlier: bool
) -> None:
    bundle = checkout / "scaffolder" / "template.bundle"
    if earlier:
        assert release(checkout, "89.0.0").returncode == 0
        (checkout / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n- More.\n")
        commit(checkout)
    elif bundle.exists():
        bundle.unlink()
        commit(checkout)
    write_hook(checkout, "pre-commit", "exit 1")
    before = state(checkout)
    result = release(checkout, "90.0.0")
    assert result.returncode == 1
    assert result.stderr == "Nothing was released: a git hook refused it without a message.\n"
    assert state(checkout) == before


def test_a_tag_that_cannot_be_signed_leaves_everything_as_it_was(checkout: Path) -> None:
    git("config", "tag.gpgSign", "true", cwd=checkout)
    git("config", "gpg.program", "false", cwd=checkout)
    before = state(checkout)
    result = release(checkout, "90.0.0")
    assert result.returncode == 1
    assert result.stderr == "Nothing was released: unable to sign the tag.\n"
    assert state(checkout) == before


def test_an_interrupted_release_leaves_everything_as_it_was(checkout: Path) -> None:
    # Once the commit and the tag are there.
    write_hook(
        checkout,
        "reference-transaction",
        'if [ "$1" = committed ] && grep -q refs/tags/v90; then rm "$0"; kill -INT 0; fi',
    )
    before = state(checkout)
    result = release(checkout, "90.0.0")
    assert result.returncode == 1
    assert result.stderr == "Interrupted; nothing was released.\n"
    assert state(checkout) == before


def test_a_failed_release_keeps_what_was_written_meanwhile(checkout: Path) -> None:
    write_hook(checkout, "pre-commit", "echo idea > new.txt; exit 1")
    assert release(checkout, "90.0.0").returncode == 1
    assert (checkout / "new.txt").read_text() == "idea\n"
    assert changes(checkout) == "?? new.txt\n"


def test_a_user_whose_git_finds_no_bare_repositories_can_release(
    checkout: Path, home: Path
) -> None:
    with (home / ".gitconfig").open("a") as file:
        file.write("[safe]\n\tbareRepository = explicit\n")
    assert release(checkout, "89.0.0").returncode == 0
    (checkout / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n- More.\n")
    commit(checkout)
    assert release(checkout, "90.0.0").returncode == 0
