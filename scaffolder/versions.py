"""The order of template versions, without the cost of a packaging library."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:\.dev(\d+))?")


class Version(NamedTuple):
    """A released version `v1.2.3`, or a pre-release `v1.2.3.dev4`, which comes before it."""

    major: int
    minor: int
    patch: int
    released: bool
    serial: int = 0

    @classmethod
    def parse(cls, tag: str) -> Version | None:
        """Read a tag; None where it is not one that this tool writes."""
        found = _VERSION.fullmatch(tag)
        if not found:
            return None
        major, minor, patch = (int(number) for number in found.groups()[:3])
        return cls(major, minor, patch, found[4] is None, int(found[4] or 0))

    @property
    def tag(self) -> str:
        """The tag that names this version."""
        suffix = "" if self.released else f".dev{self.serial}"
        return f"v{self.major}.{self.minor}.{self.patch}{suffix}"


def latest_release(tags: Iterable[str]) -> Version | None:
    """The latest released version among tags; None where there is none."""
    versions = (Version.parse(tag) for tag in tags)
    return max((version for version in versions if version and version.released), default=None)


def next_prerelease(tags: Iterable[str]) -> Version:
    """The first free pre-release after the latest release among tags."""
    tags = set(tags)
    latest = latest_release(tags) or Version(0, 0, 0, released=True)
    serial = 1
    while True:
        version = Version(latest.major, latest.minor, latest.patch + 1, False, serial)
        if version.tag not in tags:
            return version
        serial += 1
