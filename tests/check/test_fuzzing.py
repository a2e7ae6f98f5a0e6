"""No source makes the checker crash, and every fix leaves Python."""

from __future__ import annotations

import ast
import hashlib
import random
import sysconfig
import warnings
from pathlib import Path

import pytest
import torch
from rewriting import findings_of, rewritten

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*/*.py"))
STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
TORCH = Path(torch.__file__).parent
_TOKENS = (
    "self.x",
    "None",
    "x",
    "self",
    "()",
    "[x]",
    "{}",
    "*x",
    "0",
    "lambda: x",
    "''",
    "nn.Linear",
)


def mutated(text: str, chance: random.Random) -> str:
    """A text with a few lines dropped, doubled, moved or with a name replaced."""
    lines = text.splitlines()
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(lines))
        match chance.randrange(5):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[at])
            case 2:
                lines.insert(chance.randrange(len(lines)), lines.pop(at))
            case 3:
                words = lines[at].split(" ")
                words[chance.randrange(len(words))] = chance.choice(_TOKENS)
                lines[at] = " ".join(words)
            case _:
                cut = chance.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:cut] + chance.choice(_TOKENS) + lines[at][cut:]
        if not lines:
            return ""
    return "\n".join(lines)


def check_mutants(path: Path, count: int) -> int:
    """Check and fix some mutants of a file; returns how many of them are Python."""
    chance = random.Random(path.parent.name + path.name)
    text = path.read_text(encoding="utf-8")
    parsed = 0
    for _ in range(count):
        mutant = mutated(text, chance)
        try:
            with warnings.catch_warnings(action="ignore"):
                ast.parse(mutant)
        except SyntaxError:
            continue
        parsed += 1
        after, _ = rewritten(mutant)
        ast.parse(after)
    return parsed


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_mutants_of_the_corpus(path: Path) -> None:
    check_mutants(path, 6)


@pytest.mark.slow
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_many_mutants_of_the_corpus(path: Path) -> None:
    assert check_mutants(path, 120) > 10


def sources_below(root: Path) -> list[Path]:
    """The files of Python of a tree, but not of the packages that are installed in it."""
    return [
        path
        for path in sorted(root.rglob("*.py"))
        if "site-packages" not in path.relative_to(root).parts
    ]


def name_digest(path: Path) -> str:
    """What files are drawn by: nothing but their name."""
    return hashlib.sha256(path.as_posix().encode()).hexdigest()


def check_files(paths: list[Path]) -> int:
    """Check every file by itself; returns how many of them are Python."""
    checked = 0
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
            with warnings.catch_warnings(action="ignore"):
                ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            continue
        findings_of(text, str(path))
        checked += 1
    return checked


@pytest.mark.parametrize("root", [STANDARD_LIBRARY, TORCH], ids=["the-standard-library", "torch"])
def test_a_sample(root: Path) -> None:
    # By names, so that most of them are the same in another version.
    chosen = sorted(sources_below(root), key=lambda path: name_digest(path.relative_to(root)))
    assert check_files(chosen[:100]) > 90


@pytest.mark.slow
def test_the_standard_library() -> None:
    assert check_files(sources_below(STANDARD_LIBRARY)) > 500


@pytest.mark.slow
def test_all_of_torch() -> None:
    assert check_files(sources_below(TORCH)) > 1000
