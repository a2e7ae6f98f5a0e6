"""The store: every template version that this machine's user has, in one git bundle.

A repository records `~/.nnscaffold/template.bundle` as its template's address: the same on every
machine, and Copier reads it without help. Versions are only ever added to it, so that no tool, be
it older, newer or a checkout in development, takes away what a repository was made from.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from scaffolder.bundle import import_bundle, read_header, write_bundle
from scaffolder.errors import MachineFailure
from scaffolder.git import ISOLATED, GitFailed, bare, git
from scaffolder.lock import Busy, locked
from scaffolder.versions import latest_release, next_prerelease
from scaffolder.working_template import digest, find_working_template, record

if TYPE_CHECKING:
    from scaffolder.bundle import Header

SOURCE = "~/.nnscaffold/template.bundle"
_TIMEOUT_SECONDS = 60.0
RELEASES = Path(__file__).with_name("template.bundle")


def store_folder() -> Path:
    """The folder in the user's home that holds the store and what is cached of it."""
    return store_path().parent


def store_path() -> Path:
    """The store's bundle."""
    return Path(SOURCE).expanduser()


def offer() -> str:
    """Bring the store up to date and return the version that this tool makes repositories from.

    That is the latest release that came with the tool; in a development checkout whose template
    is none of the releases, it is that template, stored as a pre-release.

    Raises:
        MachineFailure: The store cannot be written, or the tool carries no template.
    """
    carried = read_header(RELEASES)
    root = find_working_template()
    working = digest(root) if root else None
    if working and (released := carried.tag_of(working)):
        _add(carried, None, None)
        return released
    _add(carried, root, working)
    if working and (prerelease := read_header(store_path()).tag_of(working)):
        return prerelease
    latest = latest_release(carried.tags)
    if latest is None:
        raise MachineFailure(
            "template-missing",
            f"{RELEASES} holds no template, so this installation is corrupt.",
            "Install nnscaffold again.",
        )
    return latest.tag


def repair() -> bool:
    """Make the store again from what this tool carries, if it is corrupt; say whether it was."""
    with tempfile.TemporaryDirectory(prefix="nnscaffold-") as scratch:
        try:
            gather(Path(scratch), store_path())
        except GitFailed:
            _set_aside()
            offer()
            return True
    return False


def _set_aside() -> None:
    """Keep a corrupt store beside its place: it may hold versions that this tool does not carry."""
    store_path().replace(store_path().with_suffix(".bundle.corrupt"))


def _add(carried: Header, root: Path | None, working: str | None) -> None:
    """Add what the store lacks: the carried releases, and the working template if there is one."""
    if _has_all(carried, working):
        return
    folder = store_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder, timeout=_TIMEOUT_SECONDS):
            if not _has_all(carried, working):  # another process may have been faster
                _rebuild(root, working)
    except (OSError, GitFailed, Busy) as error:
        raise MachineFailure(
            "store-not-writable",
            f"The template store {folder} cannot be written: {_reason(error)}.",
            "Make the folder writable or free some space, then run the command again.",
        ) from error


def _has_all(carried: Header, working: str | None) -> bool:
    present = read_header(store_path())
    return present.holds(carried) and (working is None or present.tag_of(working) is not None)


def _rebuild(root: Path | None, working: str | None) -> None:
    with tempfile.TemporaryDirectory(prefix="nnscaffold-") as scratch:
        repository = Path(scratch)
        # The store first: where two bundles differ on a version, what repositories may already
        # have been made from stays.
        try:
            tags = gather(repository, store_path(), RELEASES)
        except GitFailed:
            if not store_path().exists():
                raise
            # Where this fails as well, on a full disk for one, the store is not to blame.
            tags = gather(repository, RELEASES)
            _set_aside()
        if root and working and read_header(store_path()).tag_of(working) is None:
            record(root, repository, next_prerelease(tags))
        write_bundle(repository, store_path())


def gather(repository: Path, *bundles: Path) -> set[str]:
    """Make a bare repository of what bundles hold; return its tags."""
    git("init", "-q", "--bare", "-b", "main", str(repository), environment=ISOLATED)
    for bundle in bundles:
        import_bundle(bundle, repository)
    tags = set(bare(repository, "tag", "--list").split())
    if latest := latest_release(tags):
        bare(repository, "update-ref", "refs/heads/main", f"refs/tags/{latest.tag}")
    return tags


def _reason(error: OSError | GitFailed | Busy) -> str:
    if isinstance(error, GitFailed):
        return error.reason
    if isinstance(error, Busy):
        return "another command holds it"
    return error.strerror or str(error)
