"""Record a release: version, changelog and template history, in one commit and its tag.

Usage: python tools/release.py x.y.z

The template's history is the bundle in the package. A release adds one version to it, so that an
installation from a clone, a source archive or a wheel carries the same versions.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

from scaffolder.bundle import import_bundle, read_header, write_bundle
from scaffolder.git import ISOLATED, GitFailed, git
from scaffolder.store import RELEASES
from scaffolder.versions import Version, newest_release
from scaffolder.working_template import record

ROOT = Path(__file__).resolve().parent.parent
VERSION_FILE = ROOT / "scaffolder" / "__init__.py"
CHANGELOG = ROOT / "CHANGELOG.md"
UNRELEASED = "## Unreleased\n"


def main() -> None:
    """Record the release named on the command line, or say why not and exit with 1."""
    if len(sys.argv) != 2:
        sys.exit("Name the version: make release VERSION=x.y.z")
    version = _new_version(sys.argv[1])
    _require_clean()
    notes = _unreleased_notes()
    _require_passing_template()
    try:
        _write_version(version)
        _write_changelog(version, notes)
        _record_template(version)
        git("add", "--all", cwd=ROOT)
        git("commit", "-q", "-m", f"Release {version.tag}", cwd=ROOT)
        git("tag", "-a", version.tag, "-m", f"nnscaffold {version.tag}", cwd=ROOT)
    except BaseException:
        # Nothing but this release is in the work tree: it was clean.
        git("add", "--all", cwd=ROOT)
        git("reset", "-q", "--hard", cwd=ROOT)
        raise
    print(
        f"Released {version.tag}: committed and tagged. Publish both with: git push --follow-tags"
    )


def _new_version(text: str) -> Version:
    version = Version.parse(f"v{text}")
    if version is None or not version.released:
        sys.exit(f"'{text}' is no version: write x.y.z.")
    released = read_header(RELEASES).tags
    if version.tag in released or _has_tag(version.tag):
        sys.exit(f"{version.tag} is released already: choose a higher version.")
    newest = newest_release(released)
    if newest and version < newest:
        sys.exit(f"{version.tag} is older than {newest.tag}, the newest release.")
    return version


def _has_tag(tag: str) -> bool:
    try:
        git("rev-parse", "-q", "--verify", f"refs/tags/{tag}", cwd=ROOT)
    except GitFailed:
        return False
    return True


def _require_clean() -> None:
    if changes := git("status", "--porcelain", cwd=ROOT):
        sys.exit(f"The work tree has changes; commit them or put them away:\n{changes}")


def _unreleased_notes() -> str:
    """What the changelog says under "Unreleased"."""
    _, found, rest = CHANGELOG.read_text(encoding="utf-8").partition(UNRELEASED)
    notes = re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0].strip()
    if not found or not notes:
        sys.exit("CHANGELOG.md says nothing under '## Unreleased': write what users get.")
    return notes


def _require_passing_template() -> None:
    print("Testing the template …")
    command = [sys.executable, "-m", "pytest", "-q", "tests/template"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit("The template's tests fail; nothing was released.")


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
        git("init", "-q", "--bare", "-b", "main", scratch, environment=ISOLATED)
        import_bundle(RELEASES, repository)
        if newest := newest_release(read_header(RELEASES).tags):
            git("update-ref", "refs/heads/main", f"refs/tags/{newest.tag}", cwd=repository)
        record(ROOT, repository, version)
        write_bundle(repository, RELEASES)


if __name__ == "__main__":
    main()
