"""The template as it stands in a checkout of this project, and how a version is recorded of it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from scaffolder.bundle import CONTENTS
from scaffolder.git import ISOLATED, git

if TYPE_CHECKING:
    from scaffolder.versions import Version


def find_working_template() -> Path | None:
    """The checkout that this package runs from; None where it is installed without one."""
    root = Path(__file__).resolve().parent.parent
    is_checkout = (root / "copier.yml").is_file() and (root / "template" / "project").is_dir()
    return root if is_checkout else None


def digest(root: Path) -> str:
    """A hash of the template's names, bytes and execute bits below a checkout's root."""
    total = hashlib.sha256()
    for path in template_files(root):
        executable = os.access(path, os.X_OK)
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(root).as_posix()}\0{executable}\0{content}\n".encode())
    return total.hexdigest()[:40]


def record(root: Path, repository: Path, version: Version) -> None:
    """Commit the template as it stands to a bare repository, and tag it.

    Args:
        root: The checkout.
        repository: A bare git repository of template versions.
        version: How to tag it. A release also becomes the tip of the main branch; so does a
            pre-release where that branch has no tip yet.
    """
    environment = ISOLATED | {
        "GIT_INDEX_FILE": str(repository.absolute() / "index.of-working-template")
    }

    def run(*arguments: str, stdin: str | None = None) -> str:
        command = (f"--git-dir={repository.absolute()}", f"--work-tree={root}", *arguments)
        return git(*command, cwd=root, environment=environment, stdin=stdin).strip()

    files = "\0".join(path.relative_to(root).as_posix() for path in template_files(root))
    run("update-index", "--add", "-z", "--stdin", stdin=files)
    tip = run("for-each-ref", "--format=%(objectname)", "refs/heads/main")
    parents = ("-p", tip) if tip else ()
    message = f"Template {version.tag}"
    commit = run("commit-tree", run("write-tree"), *parents, "-m", message)
    run("update-ref", f"refs/tags/{version.tag}", commit)
    run("update-ref", f"{CONTENTS}{digest(root)}", commit)
    if version.released or not tip:
        run("update-ref", "refs/heads/main", commit)


def template_files(root: Path) -> list[Path]:
    """The template's files, sorted, without what Python or an editor leaves behind."""
    found = [root / "copier.yml"]
    for folder, subfolders, names in os.walk(root / "template"):
        subfolders[:] = [name for name in subfolders if not _is_litter(name)]
        found += [Path(folder, name) for name in names if not _is_litter(name)]
    return sorted(found)


def _is_litter(name: str) -> bool:
    return name in ("__pycache__", ".DS_Store") or name.endswith((".pyc", "~", "_cache", ".swp"))
