"""`tools/stages.py`: what runs, what is skipped because nothing that it depends on has changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scaffolder.git import git

ROOT = Path(__file__).resolve().parent.parent
TABLE = """
[fast]
tests = ["tests"]
pytest = "-m 'not slow'"
workers = 2

[image]
tests = ["tests/test_image.py"]
pytest = "-m slow"
inputs = ["Dockerfile", "tests/test_image.py"]
may_skip = "for a release"

[rest]
others = true
pytest = "-m slow"
"""
FILES = {
    "tests/stages.toml": TABLE,
    ".ci/run": "",
    "Dockerfile": "FROM scratch\n",
    ".gitignore": "__pycache__/\n.pytest_cache/\nbuild/\n",
    "pyproject.toml": "[tool.pytest.ini_options]\nmarkers = ['slow: x']\n",
    "tests/test_fast.py": "def test_fast() -> None:\n    pass\n",
    "tests/test_image.py": (
        "import pytest\n\n"
        "@pytest.mark.slow\ndef test_image():\n    pass\n\n"
        "@pytest.mark.slow\n@pytest.mark.skip(reason='only for a release')\n"
        "def test_more():\n    pass\n"
    ),
    "tests/test_rest.py": "import pytest\n\n@pytest.mark.slow\ndef test_rest():\n    pass\n",
}
SKIPPED = "stage image: skipped, inputs unchanged since it passed on 2"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of a small project with three stages."""
    folder = tmp_path / "checkout"
    for name, text in FILES.items():
        write(folder, name, text)
    (folder / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "stages.py", folder / "tools")
    git("init", "-q", cwd=folder)
    git("add", "-A", cwd=folder)
    return folder


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def stages(checkout: Path, *arguments: str, code: int = 0, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "tools/stages.py", *arguments],
        cwd=checkout,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_the_times_of_stages_and_of_the_slowest_tests_come_at_the_end(checkout: Path) -> None:
    stages(checkout, "fast")
    printed = stages(checkout, "--except", "fast")
    _, _, end = printed.partition("===== Stages\n")
    summary, _, slowest = end.partition("===== The slowest tests\n")
    assert [line.rpartition(",")[0] for line in summary.splitlines()] == [
        "stage image: passed",
        "stage rest: passed",
        "stage fast: ran before",
    ]
    names = {line.split("  ")[-1] for line in slowest.splitlines()}
    assert {
        "fast: tests.test_fast::test_fast",
        "image: tests.test_image::test_image",
        "rest: tests.test_rest::test_rest",
    } <= names
    assert "rest: tests.test_image::test_image" not in names


def test_a_stage_is_skipped_while_its_inputs_are_those_that_passed(checkout: Path) -> None:
    assert "stage image: passed" in stages(checkout, "image", "rest", "--record")
    printed = stages(checkout)
    assert SKIPPED in printed
    assert "stage rest: passed" in printed
    assert json.loads((checkout / ".ci" / "passed.json").read_text()).keys() == {"image"}


def test_a_fresh_clone_skips_what_is_recorded_in_a_commit(checkout: Path, tmp_path: Path) -> None:
    stages(checkout, "image", "--record")
    git("add", "-A", cwd=checkout)
    git("commit", "-q", "-m", "x", cwd=checkout)
    git("clone", "-q", str(checkout), str(tmp_path / "clone"))
    assert SKIPPED in stages(tmp_path / "clone", "--except", "fast")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("Dockerfile", "scratch", "debian"),
        ("tests/test_image.py", "pass", "assert True"),
        ("tests/stages.toml", '"for a release"', '"for a release"\nworkers = 2'),
    ],
)
def test_a_changed_input_or_entry_makes_it_run(
    checkout: Path, name: str, old: str, new: str
) -> None:
    stages(checkout, "image", "--record")
    write(checkout, name, (checkout / name).read_text().replace(old, new))
    assert "stage image: passed" in stages(checkout, "--except", "fast")


def test_an_execute_bit_is_an_input_and_other_files_are_not(checkout: Path) -> None:
    stages(checkout, "image", "--record")
    write(checkout, "README.md", "x")
    assert SKIPPED in stages(checkout, "--except", "fast")
    (checkout / "Dockerfile").chmod(0o755)
    assert "stage image: passed" in stages(checkout, "--except", "fast")


def test_a_release_all_and_a_name_run_it_whatever_is_recorded(checkout: Path) -> None:
    stages(checkout, "image", "--record")
    for arguments, variables in (
        (["--except", "fast"], {"NNSCAFFOLD_RELEASE": "1"}),
        (["--except", "fast", "--all"], {}),
        (["image"], {}),
    ):
        assert "stage image: passed" in stages(checkout, *arguments, **variables)


def test_a_failure_is_shown_and_not_recorded(checkout: Path) -> None:
    text = FILES["tests/test_image.py"].replace("    pass", "    assert 'broken' == 0")
    write(checkout, "tests/test_image.py", text)
    printed = stages(checkout, "--record", code=1)
    assert "'broken' == 0" in printed
    assert "stage image: failed" in printed
    assert "stage rest: passed" in printed
    assert not (checkout / ".ci" / "passed.json").exists()


def test_a_stage_whose_tests_were_skipped_has_not_passed(checkout: Path) -> None:
    text = FILES["tests/test_image.py"].replace("only for a release", "buildah is not installed")
    write(checkout, "tests/test_image.py", text)
    printed = stages(checkout, "image", "--record")
    assert "not recorded, as tests were skipped: buildah is not installed" in printed
    assert not (checkout / ".ci" / "passed.json").exists()


def test_a_stage_whose_inputs_change_while_it_runs_is_not_recorded(checkout: Path) -> None:
    text = "    open('Dockerfile', 'a').write('USER 1000')"
    write(checkout, "tests/test_image.py", FILES["tests/test_image.py"].replace("    pass", text))
    assert "its inputs changed meanwhile" in stages(checkout, "image", "--record")


def test_a_stage_without_tests_fails(checkout: Path) -> None:
    (checkout / "tests" / "test_rest.py").unlink()
    assert "stage rest: failed" in stages(checkout, "rest", code=1)


def test_an_input_that_is_no_file_any_more_is_named(checkout: Path) -> None:
    (checkout / "Dockerfile").rename(checkout / "Containerfile")
    printed = stages(checkout, code=1)
    assert "stage image: no file is called Dockerfile" in printed


def test_an_unknown_stage_is_named(checkout: Path) -> None:
    assert "There is no stage 'imagse'" in stages(checkout, "imagse", code=2)


def test_the_table_of_this_project_fits_its_files() -> None:
    program = (
        "import sys; sys.path.insert(0, 'tools'); import stages; files = stages._files()\n"
        "print(*(stage.digest(files) for stage in stages.read_table(stages.TABLE)))"
    )
    command = [sys.executable, "-c", program]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert len(set(printed.split())) > 5
