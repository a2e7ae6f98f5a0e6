"""Git bundles: a repository's history in one file.

Beside its tags, a bundle of template versions has a ref `refs/content/DIGEST` for each version, so
that a working template is recognised as one of them by reading the bundle's header alone.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from scaffolder.errors import MachineFailure
from scaffolder.git import bare

if TYPE_CHECKING:
    from pathlib import Path

_SIGNATURE = b"# v2 git bundle\n"
_ANY_SIGNATURE = re.compile(rb"# v\d+ git bundle\n")
TAGS = "refs/tags/"
CONTENTS = "refs/content/"


class Header(NamedTuple):
    """What a bundle says it holds: commits by tag, and commits by the digest of their files."""

    tags: dict[str, str]
    contents: dict[str, str]

    def holds(self, other: Header) -> bool:
        """Whether this bundle has every version that the other one has."""
        return (
            self.tags.keys() >= other.tags.keys() and self.contents.keys() >= other.contents.keys()
        )

    def tag_of(self, digest: str) -> str | None:
        """The tag of the version whose files have this digest; None where there is none."""
        commit = self.contents.get(digest)
        return next((tag for tag, tagged in self.tags.items() if tagged == commit), None)


def read_header(bundle: Path) -> Header:
    """Read a bundle's header without starting git; empty where there is no bundle.

    Raises:
        MachineFailure: It is a bundle of a format that only a newer version of this tool writes.
    """
    header = Header({}, {})
    try:
        with bundle.open("rb") as file:
            signature = file.readline()
            if signature != _SIGNATURE and _ANY_SIGNATURE.fullmatch(signature):
                raise MachineFailure(
                    "store-too-new",
                    f"{bundle} was written by a newer nnscaffold, in a format unknown to this one.",
                    "Upgrade nnscaffold.",
                )
            if signature != _SIGNATURE:
                return header
            while (line := file.readline()) not in (b"\n", b""):
                commit, _, ref = line.decode("utf-8", "replace").strip().partition(" ")
                if ref.startswith(TAGS):
                    header.tags[ref.removeprefix(TAGS)] = commit
                elif ref.startswith(CONTENTS):
                    header.contents[ref.removeprefix(CONTENTS)] = commit
    except (FileNotFoundError, NotADirectoryError):
        pass
    return header


def import_bundle(bundle: Path, repository: Path) -> None:
    """Fetch a bundle's versions into a bare repository; one that is there stays as it is."""
    present = set(bare(repository, "for-each-ref", "--format=%(refname)").split())
    header = read_header(bundle)
    offered = [f"{TAGS}{tag}" for tag in header.tags]
    offered += [f"{CONTENTS}{digest}" for digest in header.contents]
    if missing := [ref for ref in offered if ref not in present]:
        refspecs = [f"{ref}:{ref}" for ref in missing]
        bare(repository, "fetch", "-q", str(bundle.absolute()), *refspecs)


def write_bundle(repository: Path, bundle: Path) -> None:
    """Write the versions in a bare repository, and its main branch, as a bundle, atomically."""
    # Written beside its target, so that the last step is a rename on one file system.
    unfinished = bundle.with_name(f".{bundle.name}.{os.getpid()}")
    try:
        bare(
            repository,
            *("-c", "pack.threads=1"),  # the same history gives the same bytes
            *("bundle", "create", "-q", "--version=2", str(unfinished.absolute())),
            *("HEAD", "refs/heads/main", "--tags", f"--glob={CONTENTS}*"),
        )
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(bundle)
    finally:
        unfinished.unlink(missing_ok=True)
