"""AOTInductor compiles every kind with a batch of any size, and a fresh process runs the package.

It takes up to half a minute a module. So models are compiled with the other slow tests, and layers
where a release is made, which sets NNSCAFFOLD_RELEASE.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import pytest
import yaml

if TYPE_CHECKING:
    from .conftest import Program, Render

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("aotinductor_case.py")
PACKAGE = "ahead"
RELEASE = os.environ.get("NNSCAFFOLD_RELEASE") == "1"
# Its forward is written by whoever asks for the layer.
OPEN = "blank"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("g++") is None, reason="AOTInductor needs g++"),
]


def entries() -> list[dict[str, str]]:
    """The modules of a new repository, and one of each kind that it does not have."""
    questions = yaml.safe_load((ROOT / "copier.yml").read_text())
    default = jinja2.Template(questions["modules"]["default"]).render(task="digits")
    found = list(yaml.safe_load(default))
    for file in sorted((ROOT / "template" / "kinds").glob("*/kind.yml")):
        kind, role = file.parent.name, yaml.safe_load(file.read_text())["role"]
        if kind not in {OPEN, *(entry["kind"] for entry in found)}:
            found.append({"name": f"Any{kind.title()}", "kind": kind, "role": role, "file": kind})
    return found


def params() -> list[Any]:
    """A parameter set for each module; those of layers are run before a release alone."""
    only = pytest.mark.skipif(not RELEASE, reason="layers are compiled for a release")
    return [
        pytest.param(entry, id=entry["kind"], marks=[only] if entry["role"] == "layer" else [])
        for entry in entries()
    ]


@pytest.fixture(scope="module")
def repository(render: Render) -> Path:
    """A repository that holds every kind, and the program beside its tests."""
    folder = render(package=PACKAGE, modules=entries())
    shutil.copy(PROGRAM, folder)
    return folder


def test_every_kind_is_compiled() -> None:
    kinds = {file.parent.name for file in (ROOT / "template" / "kinds").glob("*/kind.yml")}
    assert {entry["kind"] for entry in entries()} == kinds - {OPEN}


@pytest.mark.parametrize("entry", params())
def test_a_fresh_process_gets_the_modules_output(
    entry: dict[str, str],
    repository: Path,
    program: Program,
    tmp_path: Path,
) -> None:
    test = f"tests.{entry['role']}s.test_{entry['file']}:Test{entry['name']}"
    program(repository, PROGRAM.stem, "write", test, str(tmp_path))
    assert (tmp_path / "model.pt2").stat().st_size > 0
    program(repository, PROGRAM.stem, "run", str(tmp_path))
