"""The manifest, the module files and the package indexes agree.

The manifest is the list under ``modules`` in ``.copier-answers.yml``, one line an entry. Two
branches that each add a module merge by keeping both lines, which can also keep a line twice or
bring one back: these tests find that, and each failure says what to do.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = ROOT / ".copier-answers.yml"
ROLES = ("layer", "model")
# A line of a package index that stands for an entry; other lines are the authors' own.
INDEX_LINE = re.compile(r"from \.(\w+) import (\w+) as \2")


def read_lines() -> tuple[list[tuple[str, str]], list[str]]:
    """Return the answers, as pairs of key and text, and the entries, as texts."""
    answers: list[tuple[str, str]] = []
    entries: list[str] = []
    for number, line in enumerate(MANIFEST.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("- ") and answers and answers[-1][0] == "modules":
            entries.append(line.removeprefix("- "))
            continue
        key, colon, text = line.partition(":")
        well_formed = colon and re.fullmatch(r"\w+", key)
        assert well_formed, (
            f"{MANIFEST.name}, line {number}: {line!r} is neither an answer, `key: value`, nor an "
            "entry below `modules:`. Take out what a merge left there."
        )
        answers.append((key, text.strip()))
    return answers, entries


def read_entries() -> list[dict[str, Any]]:
    """Return the entries of the manifest, in their order."""
    entries = []
    for text in read_lines()[1]:
        try:
            entry = json.loads(text)
        except ValueError as error:
            pytest.fail(f"{MANIFEST.name}: `- {text}` is not JSON: {error}. Fix it.")
        complete = isinstance(entry, dict) and entry.keys() >= {"name", "kind", "role", "file"}
        assert complete, f"{MANIFEST.name}: `- {text}` lacks a name, kind, role or file: add it."
        known = entry["role"] in ROLES
        assert known, f"{MANIFEST.name}: `- {text}`: the role must be {' or '.join(ROLES)}."
        entries.append(entry)
    return entries


def package_folder() -> Path:
    """Return the folder of the package that the answers name."""
    answers = dict(read_lines()[0])
    assert "package" in answers, f"{MANIFEST.name} has no `package:` line: bring it back."
    return ROOT / "src" / json.loads(answers["package"])


def test_no_answer_stands_twice() -> None:
    counts = Counter(key for key, _ in read_lines()[0])
    twice = [key for key, count in counts.items() if count > 1]
    assert not twice, (
        f"{MANIFEST.name} has more than one line for {', '.join(twice)}, as a merge can leave it. "
        "Keep one line of each; of `_commit` the newer one."
    )


@pytest.mark.parametrize("key", ["name", "file"])
def test_no_module_stands_twice(key: str) -> None:
    # Names that differ only in case meet in one file on macOS and Windows.
    counts = Counter(entry[key].lower() for entry in read_entries())
    twice = [entry[key] for entry in read_entries() if counts[entry[key].lower()] > 1]
    assert not twice, (
        f"{MANIFEST.name} has entries of the same {key}, or of two that differ only in case: "
        f"{', '.join(twice)}. Delete or rename all but one."
    )


def test_every_entry_has_its_files() -> None:
    missing = []
    for entry in read_entries():
        folder, file = f"{entry['role']}s", entry["file"]
        module = package_folder() / folder / f"{file}.py"
        test = ROOT / "tests" / folder / f"test_{file}.py"
        paths = [path.relative_to(ROOT).as_posix() for path in (module, test) if not path.exists()]
        missing += [f"{path} of {entry['name']}" for path in paths]
    assert not missing, (
        f"{MANIFEST.name} lists modules whose files are not there: {', '.join(missing)}. "
        "Bring the files back from git, or delete the entry and its line in the package index."
    )


@pytest.mark.parametrize("role", ROLES)
def test_every_module_file_has_its_entry(role: str) -> None:
    listed = {entry["file"] for entry in read_entries() if entry["role"] == role}
    files = sorted((package_folder() / f"{role}s").glob("*.py"))
    others = [path for path in files if path.stem not in {"__init__", *listed}]
    unlisted = [path.relative_to(ROOT).as_posix() for path in others]
    assert not unlisted, (
        f"{MANIFEST.name} does not list {', '.join(unlisted)}. Make modules with "
        f"`nnscaffold new {role}`, which lists them, or keep these files in another folder."
    )


@pytest.mark.parametrize("role", ROLES)
def test_package_index_has_a_line_for_each_entry(role: str) -> None:
    expected = [
        f"from .{entry['file']} import {entry['name']} as {entry['name']}"
        for entry in read_entries()
        if entry["role"] == role
    ]
    index = package_folder() / f"{role}s" / "__init__.py"
    lines = index.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if INDEX_LINE.fullmatch(line)] == expected, (
        f"The import lines of src/*/{role}s/__init__.py do not match {MANIFEST.name}. They must be "
        "these, in this order:\n" + "\n".join(expected)
    )
