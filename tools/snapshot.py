"""Take over how a generated repository looks now, so that a change of the template can be reviewed.

Usage: python tools/snapshot.py
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from scaffolder.create import create_project

ROOT = Path(__file__).resolve().parent.parent
SNAPSHOT = ROOT / "tests" / "snapshot"
ANSWERS = {
    "project_name": "Digit classifier",
    "author_name": "Ada Example",
    "author_email": "ada@example.org",
    "copyright_year": "2026",
}


def render(folder: Path) -> None:
    """Make a repository with fixed answers in a new folder, without what changes by itself."""
    create_project(folder, ANSWERS, commit=False)
    answers = folder / ".copier-answers.yml"
    text = answers.read_text(encoding="utf-8")
    answers.write_text(re.sub(r"(?m)^_commit: .*$", '_commit: "any"', text), encoding="utf-8")


def main() -> None:
    """Replace the snapshot."""
    with tempfile.TemporaryDirectory() as scratch:
        render(Path(scratch, "repository"))
        shutil.rmtree(SNAPSHOT, ignore_errors=True)
        shutil.copytree(Path(scratch, "repository"), SNAPSHOT)
    count = sum(path.is_file() for path in SNAPSHOT.rglob("*"))
    print(f"{SNAPSHOT.relative_to(ROOT)}: {count} files. Review them with: git diff tests/snapshot")


if __name__ == "__main__":
    main()
