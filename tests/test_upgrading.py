"""From a version whose files have moved since: no edited line is lost."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scaffolder.git import git

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run

EDITED = [
    "configs/digits.toml",
    "src/digits/classifier.py",
    "src/digits/config.py",
    "src/digits/data.py",
    "src/digits/layers/input_norm.py",
    "src/digits/models/digit_classifier.py",
    "src/digits/run.py",
    "src/digits/training.py",
]


@pytest.mark.slow
@pytest.mark.parametrize("version", ["v0.2.1"])
def test_what_was_edited_is_still_there(version: str, nnscaffold: Run, home: Path) -> None:
    repository = home / "old"
    answers = ("--defaults", "-d", "package=digits", "--ref", version, "--quiet")
    nnscaffold("new", "project", repository, *answers)
    for path in EDITED:
        with (repository / path).open("a", encoding="utf-8") as file:
            file.write(f"# Ours, in {path}.\n")
    git("commit", "-q", "-a", "-m", "Edits", cwd=repository)

    parts = ("compose", "devcontainer", "server", "fsdp")
    data = [word for part in parts for word in ("-d", f"{part}=true")]
    command = [sys.executable, "-m", "copier", "update", "--defaults", "--prereleases", *data]
    subprocess.run(command, cwd=repository, capture_output=True, check=True)

    for path in EDITED:
        assert f"# Ours, in {path}.\n" in (repository / path).read_text(encoding="utf-8"), path
    for path in ("compose.yaml", ".vscode/settings.json", "src/digits/serve.py"):
        assert (repository / path).is_file(), path
    assert git("diff", "--name-only", "--diff-filter=U", cwd=repository) == ""
