"""The store in a user's home, filled by real installations of several ages."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scaffolder.bundle import read_header, write_bundle
from scaffolder.git import ISOLATED, git
from scaffolder.store import store_folder, store_path
from scaffolder.versions import Version
from scaffolder.working_template import digest, record

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
OFFER = "from scaffolder.store import offer; print(offer())"


@pytest.fixture(autouse=True)
def empty_store(home: Path) -> None:
    shutil.rmtree(home / ".nnscaffold")


def template(root: Path, text: str) -> Path:
    """A template as it stands in a checkout, distinguished from others by its text."""
    (root / "template" / "project").mkdir(parents=True, exist_ok=True)
    (root / "copier.yml").write_text("_subdirectory: template/project\n")
    (root / "template" / "project" / "README.md").write_text(text)
    return root


def install(folder: Path, versions: Sequence[str], *, working: str | None = None) -> Path:
    """An installation that carries these releases, and lies in a checkout if `working` is given."""
    repository = folder / "history.git"
    git("init", "-q", "--bare", "-b", "main", str(repository), environment=ISOLATED)
    for tag in versions:
        version = Version.parse(tag)
        assert version is not None
        record(template(folder / "release", f"released as {tag}"), repository, version)
    site = folder / "site"
    shutil.copytree(ROOT / "scaffolder", site / "scaffolder")
    write_bundle(repository, site / "scaffolder" / "template.bundle")
    if working is not None:
        template(site, working)
    return site


def offer(site: Path) -> str:
    """What an installation offers, having brought the store up to date."""
    command = [sys.executable, "-c", OFFER]
    result = subprocess.run(command, cwd=site, capture_output=True, text=True, check=True)
    return result.stdout.strip()


def test_an_installation_fills_the_store_and_offers_its_newest_release(tmp_path: Path) -> None:
    site = install(tmp_path, ["v0.1.0", "v0.2.0"])
    assert offer(site) == "v0.2.0"
    assert read_header(store_path()).tags.keys() == {"v0.1.0", "v0.2.0"}


def test_an_older_installation_leaves_a_newer_store_and_offers_its_own(tmp_path: Path) -> None:
    new = install(tmp_path / "new", ["v0.1.0", "v0.2.0"])
    shutil.copytree(tmp_path / "new", tmp_path / "old")
    old = install(tmp_path / "older", ["v0.1.0"])
    offer(new)
    before = store_path().read_bytes()
    assert offer(old) == "v0.1.0"
    assert store_path().read_bytes() == before


def test_a_newer_installation_adds_to_an_older_store(tmp_path: Path) -> None:
    old = install(tmp_path / "old", ["v0.1.0"])
    new = install(tmp_path / "new", ["v0.1.0", "v0.2.0"])
    offer(old)
    assert offer(new) == "v0.2.0"
    assert read_header(store_path()).tags.keys() == {"v0.1.0", "v0.2.0"}


def test_a_checkout_offers_its_working_template_as_a_prerelease(tmp_path: Path) -> None:
    site = install(tmp_path, ["v0.1.0"], working="being written")
    assert offer(site) == "v0.1.1.dev1"
    assert offer(site) == "v0.1.1.dev1"
    template(site, "written on")
    assert offer(site) == "v0.1.1.dev2"
    assert read_header(store_path()).tags.keys() == {"v0.1.0", "v0.1.1.dev1", "v0.1.1.dev2"}


def test_a_checkout_that_equals_a_release_offers_that_release(tmp_path: Path) -> None:
    site = install(tmp_path, ["v0.1.0"], working="released as v0.1.0")
    assert offer(site) == "v0.1.0"


def test_a_checkout_adds_to_a_newer_store_and_takes_nothing_away(tmp_path: Path) -> None:
    offer(install(tmp_path / "new", ["v0.1.0", "v0.2.0"]))
    site = install(tmp_path / "checkout", ["v0.1.0"], working="being written")
    tag = offer(site)
    tags = read_header(store_path()).tags
    assert {"v0.1.0", "v0.2.0", tag} == tags.keys()
    # The prerelease follows the store's latest release, so that it is not a downgrade.
    assert tag == "v0.2.1.dev1"


def test_git_and_copier_can_read_the_store(tmp_path: Path) -> None:
    offer(install(tmp_path, ["v0.1.0", "v0.2.0"]))
    git("clone", "-q", str(store_path()), str(tmp_path / "clone"), environment=ISOLATED)
    text = (tmp_path / "clone" / "template" / "project" / "README.md").read_text()
    assert text == "released as v0.2.0"
    assert git("log", "--format=%s", cwd=tmp_path / "clone").split("\n")[:2] == [
        "Template v0.2.0",
        "Template v0.1.0",
    ]


def test_a_corrupt_store_is_replaced(tmp_path: Path) -> None:
    site = install(tmp_path, ["v0.1.0"])
    store_folder().mkdir()
    store_path().write_bytes(b"")
    assert offer(site) == "v0.1.0"
    assert "v0.1.0" in read_header(store_path()).tags


def test_a_store_that_is_cut_off_is_made_again_by_a_newer_tool(tmp_path: Path) -> None:
    offer(install(tmp_path / "old", ["v0.1.0"]))
    store_path().write_bytes(store_path().read_bytes()[:-100])

    assert offer(install(tmp_path / "new", ["v0.1.0", "v0.2.0"])) == "v0.2.0"

    assert {"v0.1.0", "v0.2.0"} == read_header(store_path()).tags.keys()
    assert store_path().with_suffix(".bundle.corrupt").is_file()
    git("clone", "-q", str(store_path()), str(tmp_path / "clone"), environment=ISOLATED)


def test_commands_that_start_together_leave_one_whole_store(tmp_path: Path) -> None:
    sites = [install(tmp_path / tag, ["v0.1.0", tag]) for tag in ("v0.2.0", "v0.3.0", "v0.4.0")]
    started = [subprocess.Popen([sys.executable, "-c", OFFER], cwd=site) for site in sites]
    assert [process.wait(300) for process in started] == [0, 0, 0]
    git("clone", "-q", str(store_path()), str(tmp_path / "clone"), environment=ISOLATED)
    tags = set(git("tag", "--list", cwd=tmp_path / "clone").split())
    assert tags == {"v0.1.0", "v0.2.0", "v0.3.0", "v0.4.0"}


def test_the_digest_sees_names_bytes_and_execute_bits_and_no_litter(tmp_path: Path) -> None:
    seen = {digest(template(tmp_path, "one"))}
    script = tmp_path / "template" / "project" / "run"
    for change in (
        lambda: template(tmp_path, "two"),
        lambda: script.write_text("#!/bin/sh\n"),
        lambda: script.chmod(0o755),
        lambda: script.rename(script.with_name("start")),
    ):
        change()
        before = len(seen)
        seen.add(digest(tmp_path))
        assert len(seen) == before + 1
    (tmp_path / "template" / "__pycache__").mkdir()
    (tmp_path / "template" / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert digest(tmp_path) in seen
