"""A generated repository needs this tool for nothing but its modules: Copier alone serves it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scaffolder.add import add_module
from scaffolder.git import git
from scaffolder.project import ANSWERS_FILE

ROOT = Path(__file__).resolve().parent.parent
LAYER = "src/digits/layers/gate.py"


def copier(*arguments: str | Path, cwd: Path) -> str:
    """Run Copier as a program, and never trust a template."""
    result = subprocess.run(
        [sys.executable, "-m", "copier", *map(str, arguments)],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stderr


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """This repository's template as a git repository with one version."""
    folder = tmp_path / "template-repository"
    folder.mkdir()
    shutil.copy(ROOT / "copier.yml", folder)
    shutil.copytree(ROOT / "template", folder / "template", ignore=shutil.ignore_patterns("*.pyc"))
    git("init", "-q", cwd=folder)
    release(folder, "v50.0.0")
    return folder


def release(template: Path, version: str) -> None:
    git("add", "-A", cwd=template)
    git("commit", "-q", "-m", version, cwd=template)
    git("tag", version, cwd=template)


def commit(repository: Path) -> None:
    git("add", "-A", cwd=repository)
    git("commit", "-q", "-m", "work", cwd=repository)


def improve(template: Path) -> None:
    """A new version of the template: one kind's comment, and the README."""
    kind = template / "template" / "kinds" / "linear" / "module.py.jinja"
    kind.write_text(kind.read_text().replace("import torch\n", "import torch  # improved\n", 1))
    readme = template / "template" / "project" / "README.md.jinja"
    readme.write_text(readme.read_text() + "\nImproved.\n")
    release(template, "v51.0.0")


def test_copy_and_update_reach_every_layer_and_keep_what_was_edited(
    template: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    copier("copy", "--defaults", "-d", "package=digits", template, out, cwd=tmp_path)
    git("init", "-q", cwd=out)
    add_module(out, "Gate", "layer", kind="linear")
    layer = out / LAYER
    layer.write_text(layer.read_text() + "\n\n# Mine.\n")
    commit(out)
    improve(template)

    copier("update", "--defaults", cwd=out)

    text = layer.read_text()
    assert "import torch  # improved" in text
    assert text.endswith("# Mine.\n")
    assert (out / "README.md").read_text().endswith("Improved.\n")
    answers = yaml.safe_load((out / ANSWERS_FILE).read_text())
    assert answers["_commit"] == "v51.0.0"
    assert answers["modules"][-1]["name"] == "Gate"
    add_module(out, "Second", "layer", kind="linear")
    assert "# improved" in (out / "src/digits/layers/second.py").read_text()


def test_an_update_to_the_same_version_changes_nothing(template: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    copier("copy", "--defaults", "-d", "package=digits", template, out, cwd=tmp_path)
    git("init", "-q", cwd=out)
    for number, kind in enumerate(("attention", "norm", "blank")):
        add_module(out, f"Layer{number}", "layer", kind=kind)
    add_module(out, "Baseline", "model", kind="transformer")
    commit(out)
    copier("update", "--defaults", cwd=out)
    assert git("status", "--porcelain", cwd=out) == ""


def test_a_repository_of_the_tool_updates_from_the_store(repository: Path, home: Path) -> None:
    """Its recorded version need not be a release here: a checkout makes pre-releases."""
    add_module(repository, "Gate", "layer", kind="linear")
    commit(repository)
    copier("update", "--defaults", "--vcs-ref=:current:", cwd=repository)
    assert git("status", "--porcelain", cwd=repository) == ""
    assert (home / ".nnscaffold" / "template.bundle").is_file()
