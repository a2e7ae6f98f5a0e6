"""Record a release: version, changelog and template history, in one commit and its tag.

Usage: python tools/release.py x.y.z

The template's history is the bundle in the package. A release adds one version to it, so that an
installation from a clone, a source archive or a wheel carries the same versions.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from scaffolder.bundle import read_header, write_bundle
from scaffolder.errors import MachineFailure
from scaffolder.git import GitFailed, git
from scaffolder.store import RELEASES, gather
from scaffolder.versions import Version, latest_release
from scaffolder.working_template import record, template_files

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
VERSION_FILE = ROOT / "scaffolder" / "__init__.py"
CHANGELOG = ROOT / "CHANGELOG.md"
UNRELEASED = "## Unreleased\n"
# The stages of the tests that passed, which the run before a release records.
PASSED = ROOT / ".ci" / "passed.json"
# All that a release commits. A failed one puts it back as it was when the stages had passed.
CHANGED = (VERSION_FILE, CHANGELOG, RELEASES, PASSED)


def main() -> None:
    """Record the release named on the command line, or say why not and exit with 1."""
    if len(sys.argv) != 2:
        sys.exit("Name the version: make release VERSION=x.y.z")
    try:
        version = _new_version(sys.argv[1])
        _require_clean()
        head = _head()
        notes = _unreleased_notes()
        _require_passing_stages()
        # The tests take minutes, in which a maintainer may have changed something.
        _require_clean()
        if _head() != head:
            sys.exit("There are new commits, which were not tested: run make release again.")
        with _all_or_nothing(version, head):
            _write_version(version)
            _write_changelog(version, notes)
            _record_template(version)
            _commit_and_tag(version)
    except KeyboardInterrupt:
        sys.exit("Interrupted; nothing was released.")
    except (GitFailed, MachineFailure, OSError) as error:
        sys.exit(f"Nothing was released: {_reason(error)}.")
    print(
        f"Released {version.tag}: committed and tagged. Publish both with: git push --follow-tags"
    )


def _new_version(text: str) -> Version:
    version = Version.parse(f"v{text}")
    if version is None or not version.released:
        sys.exit(f"'{text}' is not a version: write x.y.z.")
    released = read_header(RELEASES).tags
    if version.tag in released or _has_tag(version.tag):
        sys.exit(f"{version.tag} is released already: choose a higher version.")
    latest = latest_release(released)
    if latest and version < latest:
        sys.exit(f"{version.tag} is older than {latest.tag}, the latest release.")
    return version


def _has_tag(tag: str) -> bool:
    try:
        git("rev-parse", "-q", "--verify", f"refs/tags/{tag}", cwd=ROOT)
    except GitFailed:
        return False
    return True


def _head() -> str:
    return git("rev-parse", "HEAD", cwd=ROOT).strip()


def _require_clean() -> None:
    """Refuse what is not committed, whether git shows it or ignores it."""
    others = f":(exclude){PASSED.relative_to(ROOT).as_posix()}"
    if changes := git("status", "--porcelain", "--", ".", others, cwd=ROOT):
        sys.exit(f"The work tree has changes; commit them or put them away:\n{changes}")
    committed = git("ls-files", "-z", "--", "copier.yml", "template", cwd=ROOT).split("\0")
    present = {path.relative_to(ROOT).as_posix() for path in template_files(ROOT)}
    if strangers := sorted(present.symmetric_difference(filter(None, committed))):
        names = "\n".join(strangers)
        sys.exit(f"The template's files are not the committed ones; commit or delete:\n{names}")


def _unreleased_notes() -> str:
    """What the changelog says under "Unreleased"."""
    _, found, rest = CHANGELOG.read_text(encoding="utf-8").partition(UNRELEASED)
    notes = re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0].strip()
    if not found or not notes:
        sys.exit("CHANGELOG.md says nothing under '## Unreleased': write what users get.")
    return notes


def _require_passing_stages() -> None:
    print("Running all stages of the tests …", flush=True)
    # Every stage runs where this is set, with tests that take too long for every change.
    environment = {**os.environ, "NNSCAFFOLD_RELEASE": "1"}
    command = [sys.executable, "tools/stages.py", "--record"]
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
        sys.exit("The tests fail; nothing was released.")


@contextmanager
def _all_or_nothing(version: Version, head: str) -> Iterator[None]:
    """Put the changed files, the commit and the tag back as they were if anything fails."""
    before = {path: path.read_bytes() if path.exists() else None for path in CHANGED}
    try:
        yield
    except BaseException:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
        if _has_tag(version.tag):
            git("tag", "-d", version.tag, cwd=ROOT)
        # Softly: other files are none of a release's business.
        git("reset", "-q", "--soft", head, cwd=ROOT)
        git("reset", "-q", "--", *map(str, CHANGED), cwd=ROOT)
        raise


def _write_version(version: Version) -> None:
    text = VERSION_FILE.read_text(encoding="utf-8")
    number = version.tag.removeprefix("v")
    VERSION_FILE.write_text(re.sub(r'(?<=__version__ = ")[^"]*', number, text), encoding="utf-8")


def _write_changelog(version: Version, notes: str) -> None:
    text = CHANGELOG.read_text(encoding="utf-8")
    title = f"## {version.tag.removeprefix('v')} ({date.today().isoformat()})\n"
    before, _, after = text.partition(UNRELEASED)
    rest = after.lstrip().removeprefix(notes).lstrip()
    parts = [before + UNRELEASED, title, f"{notes}\n", rest]
    CHANGELOG.write_text("\n".join(part for part in parts if part), encoding="utf-8")


def _record_template(version: Version) -> None:
    with tempfile.TemporaryDirectory(prefix="nnscaffold-release-") as scratch:
        repository = Path(scratch)
        gather(repository, RELEASES)
        record(ROOT, repository, version)
        write_bundle(repository, RELEASES)


def _commit_and_tag(version: Version) -> None:
    paths = [str(path) for path in CHANGED if path.exists()]
    git("add", "--", *paths, cwd=ROOT)  # the first release's bundle is new to git
    git("commit", "-q", "-m", f"Release {version.tag}", "--", *paths, cwd=ROOT)
    git("tag", "-a", version.tag, "-m", f"nnscaffold {version.tag}", cwd=ROOT)


def _reason(error: GitFailed | MachineFailure | OSError) -> str:
    if isinstance(error, GitFailed):
        return error.reason or "a git hook refused it without a message"
    return error.message.rstrip(".") if isinstance(error, MachineFailure) else str(error)


if __name__ == "__main__":
    main()
