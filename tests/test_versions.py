"""The order of template versions."""

from __future__ import annotations

import pytest

from scaffolder.versions import Version, latest_release, next_prerelease


@pytest.mark.parametrize("tag", ["v0.1.0", "v12.0.3", "v0.1.1.dev4"])
def test_a_version_is_read_from_the_tag_that_it_writes(tag: str) -> None:
    version = Version.parse(tag)
    assert version is not None
    assert version.tag == tag


@pytest.mark.parametrize("tag", ["0.1.0", "v1", "v1.2.3rc1", "main", "v1.2.3\n", ""])
def test_other_tags_are_no_versions(tag: str) -> None:
    assert Version.parse(tag) is None


def test_versions_are_ordered_as_numbers_and_a_prerelease_comes_before_its_release() -> None:
    tags = ["v0.10.0", "v0.9.1.dev2", "v0.9.0", "v0.9.1", "v0.9.1.dev10"]
    versions = sorted(filter(None, map(Version.parse, tags)))
    ordered = ["v0.9.0", "v0.9.1.dev2", "v0.9.1.dev10", "v0.9.1", "v0.10.0"]
    assert [version.tag for version in versions] == ordered


def test_the_newest_release_is_no_prerelease() -> None:
    latest = latest_release(["v0.9.0", "v0.10.0", "v0.11.0.dev1", "main"])
    assert latest is not None
    assert latest.tag == "v0.10.0"
    assert latest_release(["v0.1.1.dev1"]) is None


def test_the_next_prerelease_is_free() -> None:
    assert next_prerelease([]).tag == "v0.0.1.dev1"
    assert next_prerelease(["v0.1.0", "v0.1.1.dev1"]).tag == "v0.1.1.dev2"
