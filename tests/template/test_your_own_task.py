"""docs/your-own-task.md, followed to the letter: from the digits to a CSV and to pictures."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from .conftest import Program, Render

pytestmark = pytest.mark.slow

TESTS = "tests/test_task.py"
PAGE = Path(__file__).parents[2] / "docs" / "your-own-task.md"
BLOCK = re.compile(
    r"<!-- (server )?(run|file|add|import)(?:: (\S+))? -->\n```\w+\n(.*?)```\n", re.DOTALL
)
USERS = re.compile(r"src/digits/task/\w+\.py|configs/\w+\.toml|tests/test_task\.py")


class Step(NamedTuple):
    """A block of code of the page, and what it is for."""

    server: str
    action: str
    path: str
    code: str


class Walk(NamedTuple):
    """What a section of the page has its reader do."""

    steps: list[Step]
    deleted: set[str]


def walk_of(title: str, *, server: bool) -> Walk:
    """Read a section of the page, for a repository with a server or without."""
    page = PAGE.read_text(encoding="utf-8")
    section = page.split(f"\n## {title}\n")[1].split("\n## ")[0]
    # "the same tests" are those of the first section.
    deleted = set(re.findall(r"`(test_\w+)`", page.split("Delete those of the digits,")[1]))
    steps = [Step(*found) for found in BLOCK.findall(section)]
    return Walk(
        [step for step in steps if server or not step.server],
        {name for name in deleted if server or "request" not in name},
    )


def follow(walk: Walk, repository: Path, environment: dict[str, str]) -> None:
    """Do what the section says."""
    tests = repository / TESTS
    tests.write_text(without(tests.read_text(), walk.deleted))
    for step in walk.steps:
        path = repository / step.path
        if step.action == "run":
            run([sys.executable, "-c", step.code], repository, environment)
        elif step.action == "file":
            assert path.exists(), "the page replaces files, and makes none"
            path.write_text(step.code)
        elif step.action == "add":
            path.write_text(f"{path.read_text().rstrip()}\n\n\n{step.code}")
        else:
            start = step.code.partition(" import ")[0]
            pattern = re.compile(rf"{re.escape(start)} import (?:\([^)]*\)|.*)\n")
            changed, count = pattern.subn(step.code, path.read_text())
            assert count == 1
            path.write_text(changed)


def without(source: str, names: set[str]) -> str:
    """Delete functions, with their decorators and the empty lines before them."""
    lines = source.splitlines(keepends=True)
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    assert names <= {node.name for node in functions}
    for node in reversed(functions):
        if node.name in names:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1
            assert node.end_lineno
            while lines[first - 1] == "\n":
                first -= 1
            del lines[first : node.end_lineno]
    return "".join(lines)


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Run a program in the folder, expect success, and return what it printed."""
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("title", "server"),
    [("A CSV", False), ("A CSV", True), ("A folder of pictures", True)],
)
def test_the_page_leads_to_a_task_that_trains_and_is_exported(
    title: str,
    server: bool,
    render: Render,
    program: Program,
    environment: dict[str, str],
) -> None:
    repository = render(package="digits", server=server)
    run(["git", "init", "--quiet"], repository, environment)
    run(["git", "add", "--all"], repository, environment)
    run(["git", "commit", "--quiet", "--message", "Digits"], repository, environment)

    follow(walk_of(title, server=server), repository, environment)

    status = run(["git", "status", "--porcelain"], repository, environment)
    changed = [line[3:] for line in status.splitlines()]
    assert len(changed) >= 5
    assert [path for path in changed if not USERS.fullmatch(path)] == []

    program(repository, "ruff", "check")
    program(repository, "ruff", "format", "--check")
    program(repository, "mypy", "src/digits/task", TESTS)
    program(repository, "digits.train", "--epochs", "2", "--device", "cpu")
    program(repository, "pytest", "-q", "-m", "not slow")
    best, out = "runs/digits/best.pt", "exports/onnx"
    program(repository, "digits.export", "onnx", "--checkpoint", best, "--out", out)
