"""The files of one template version, kept so that the next command finds them without git."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from pathlib import Path

from scaffolder.address import clone_address
from scaffolder.bundle import read_header
from scaffolder.errors import BadInput, MachineFailure
from scaffolder.git import ISOLATED, GitFailed, git
from scaffolder.store import SOURCE, offer, repair, store_folder, store_path


def template_checkout(source: str, version: str) -> Path:
    """The folder that holds a template version's files; it must not be written to.

    Args:
        source: The template's address as a repository records it (`_src_path`).
        version: The version as a repository records it (`_commit`).

    Raises:
        BadInput: The template has no such version, or cannot be read at its address.
        MachineFailure: The folder cannot be written.
    """
    folder = cached_checkout(source, version)
    if folder.is_dir():
        return folder
    try:
        if source == SOURCE:
            offer()
            folder = cached_checkout(source, version)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            _clone(source, version, folder)
        except BadInput:
            if source != SOURCE or not repair():
                raise
            _clone(source, version, folder)
    except OSError as error:
        raise MachineFailure(
            "store-not-writable",
            f"The folder {folder.parent} cannot be written: {error.strerror}.",
            "Make it writable and free some space, then run the command again.",
        ) from error
    return folder


def cached_checkout(source: str, version: str) -> Path:
    """Where a version's files are cached, whether or not they are there yet."""
    # In the store a version is known by its commit, too: a store that was made again may
    # number its pre-releases differently.
    commit = read_header(store_path()).tags.get(version, "") if source == SOURCE else ""
    text = f"{source}\0{version}\0{commit}".encode("utf-8", "surrogateescape")
    return store_folder() / "checkouts" / hashlib.sha256(text).hexdigest()[:32]


def _clone(source: str, version: str, folder: Path) -> None:
    # Made beside its path and renamed to it: a checkout is complete or not there.
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as scratch:
        new = Path(scratch, "checkout")
        try:
            git("clone", "-q", "--no-checkout", "--", clone_address(source), str(new))
            commit = _resolve(version, new)
            git("checkout", "-q", "--detach", commit, cwd=new, environment=ISOLATED)
        except GitFailed as error:
            raise BadInput(
                "template-unavailable",
                f"Version {version} of the template {source}, which this repository was made "
                f"from, is not available: {error.reason}.",
                _hint(source),
            ) from error
        shutil.rmtree(new / ".git")
        try:
            new.rename(folder)
        except OSError:
            if not folder.is_dir():  # unless another process was faster
                raise


def _resolve(version: str, repository: Path) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+/-]*", version):
        raise GitFailed((version,), f"'{version}' is not a version")
    try:
        return git("rev-parse", "--verify", f"{version}^{{commit}}", cwd=repository).strip()
    except GitFailed as error:
        raise GitFailed((version,), "it has no such version") from error


def _hint(source: str) -> str:
    if source == SOURCE:
        return "Upgrade nnscaffold: a newer release carries that version."
    return "Check `_src_path` and `_commit` in .copier-answers.yml, and that you can reach it."
