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


def read_manifest() -> tuple[str, list[dict[str, Any]]]:
    """Return the folder of the package that the answers name, and the entries in their order."""
    answers: dict[str, str] = {}
    entries: list[dict[str, Any]] = []
    for number, line in enumerate(MANIFEST.read_text(encoding="utf-8").splitlines(), start=1):
        if answer := re.fullmatch(r"(\w+):(.*)", line):
            assert answer[1] not in answers, (
                f"{MANIFEST.name} has more than one line for {answer[1]}, as a merge can leave it. "
                "Keep one line of each; of `_commit` the newer one."
            )
            answers[answer[1]] = answer[2]
        elif line.startswith("- ") and [*answers][-1:] == ["modules"]:
            entries.append(read_entry(line))
        else:
            assert not line.strip() or line.startswith("#"), (
                f"{MANIFEST.name}, line {number}: {line!r} is neither an answer, `key: value`, "
                "nor an entry below `modules:`. Take out what a merge left there."
            )
    assert "package" in answers, f"{MANIFEST.name} has no `package:` line: bring it back."
    return f"src/{json.loads(answers['package'])}", entries


def read_entry(line: str) -> dict[str, Any]:
    """Return the entry in a line of the manifest."""
    where = f"{MANIFEST.name}: `{line}`"
    try:
        entry = json.loads(line.removeprefix("- "))
    except ValueError as error:
        pytest.fail(f"{where} is not JSON: {error}. Fix it.")
    complete = isinstance(entry, dict) and entry.keys() >= {"name", "kind", "role", "file"}
    assert complete, f"{where} lacks a name, kind, role or file: add it."
    assert entry["role"] in ROLES, f"{where}: the role must be {' or '.join(ROLES)}."
    return entry


@pytest.mark.parametrize("key", ["name", "file"])
def test_no_module_stands_twice(key: str) -> None:
    names = [entry[key] for entry in read_manifest()[1]]
    # Names that differ only in case meet in one file on macOS and Windows.
    counts = Counter(map(str.lower, names))
    twice = [name for name in names if counts[name.lower()] > 1]
    assert not twice, (
        f"{MANIFEST.name} has entries of the same {key}, or of two that differ only in case: "
        f"{', '.join(twice)}. Delete or rename all but one."
    )


def test_every_entry_has_its_files() -> None:
    package, entries = read_manifest()
    missing = []
    for entry in entries:
        folder, file = f"{entry['role']}s", entry["file"]
        for path in (f"{package}/{folder}/{file}.py", f"tests/{folder}/test_{file}.py"):
            if not (ROOT / path).exists():
                missing.append(f"{path} of {entry['name']}")
    assert not missing, (
        f"{MANIFEST.name} lists modules whose files are not there: {', '.join(missing)}. "
        "Bring the files back from git, or delete the entry and its line in the package index."
    )


@pytest.mark.parametrize("role", ROLES)
def test_every_module_file_has_its_entry(role: str) -> None:
    package, entries = read_manifest()
    files = {path.stem for path in (ROOT / package / f"{role}s").glob("*.py")}
    unlisted = files - {"__init__"} - {entry["file"] for entry in entries if entry["role"] == role}
    paths = ", ".join(f"{package}/{role}s/{file}.py" for file in sorted(unlisted))
    assert not unlisted, (
        f"{MANIFEST.name} does not list {paths}. Make modules with `nnscaffold new {role}`, which "
        "lists them, or keep these files in another folder."
    )


@pytest.mark.parametrize("role", ROLES)
def test_package_index_has_a_line_for_each_entry(role: str) -> None:
    package, entries = read_manifest()
    names = [(entry["file"], entry["name"]) for entry in entries if entry["role"] == role]
    expected = [f"from .{file} import {name} as {name}" for file, name in names]
    index = ROOT / package / f"{role}s" / "__init__.py"
    lines = index.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if INDEX_LINE.fullmatch(line)] == expected, (
        f"The import lines of src/*/{role}s/__init__.py do not match {MANIFEST.name}. They must be "
        "these, in this order:\n" + "\n".join(expected)
    )
