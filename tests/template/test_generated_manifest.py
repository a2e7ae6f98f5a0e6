"""The generated test of the manifest finds what a merge or a slip leaves, and says what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Program, Render

MANIFEST = ".copier-answers.yml"
INDEX = "src/digits/layers/__init__.py"
CONV = '- {"name": "ConvBlock", "kind": "conv", "role": "layer", "file": "conv_block"}\n'


def replace(path: str, old: str, new: str) -> Callable[[Path], None]:
    """Change a file's text; the old text must be there."""

    def change(repository: Path) -> None:
        file = repository / path
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    return change


def append(path: str, text: str) -> Callable[[Path], None]:
    """Add to a file's end; make the file where there is none."""

    def change(repository: Path) -> None:
        with (repository / path).open("a", encoding="utf-8") as file:
            file.write(text)

    return change


def delete(path: str) -> Callable[[Path], None]:
    """Delete a file."""
    return lambda repository: (repository / path).unlink()


BREACHES: dict[str, tuple[Callable[[Path], None], str]] = {
    "an answer twice": (
        replace(MANIFEST, "license:", '_commit: "v9"\nlicense:'),
        "more than one line for _commit",
    ),
    "an entry twice": (append(MANIFEST, CONV), "Delete or rename all but one"),
    "names that differ in case": (
        append(MANIFEST, CONV.replace("ConvBlock", "Convblock").replace("conv_block", "other")),
        "ConvBlock, Convblock",
    ),
    "files that differ in case": (
        append(MANIFEST, CONV.replace("ConvBlock", "Other").replace("conv_b", "Conv_b")),
        "conv_block, Conv_block",
    ),
    "an entry without its module": (
        delete("src/digits/layers/conv_block.py"),
        "src/digits/layers/conv_block.py of ConvBlock",
    ),
    "an entry without its test": (
        delete("tests/layers/test_conv_block.py"),
        "tests/layers/test_conv_block.py of ConvBlock",
    ),
    "a module without its entry": (
        append("src/digits/layers/stray.py", '"""Stray."""\n'),
        "does not list src/digits/layers/stray.py",
    ),
    "an index that lacks a line": (
        replace(INDEX, "from .conv_block import ConvBlock as ConvBlock\n", ""),
        "They must be these, in this order",
    ),
    "an index that has a line too many": (
        append(INDEX, "from .gone import Gone as Gone\n"),
        "They must be these, in this order",
    ),
    "an index in another order": (
        replace(
            INDEX,
            "from .conv_block import ConvBlock as ConvBlock\n"
            "from .residual_block import ResidualBlock as ResidualBlock\n",
            "from .residual_block import ResidualBlock as ResidualBlock\n"
            "from .conv_block import ConvBlock as ConvBlock\n",
        ),
        "They must be these, in this order",
    ),
    "an entry without a role": (
        replace(MANIFEST, '"kind": "conv", "role": "layer", ', '"kind": "conv", '),
        "lacks a name, kind, role or file: add it",
    ),
    "an unknown role": (
        replace(MANIFEST, '"kind": "conv", "role": "layer"', '"kind": "conv", "role": "loss"'),
        "the role must be layer or model",
    ),
    "an entry that is no JSON": (replace(MANIFEST, '"conv_block"}', '"conv_block"'), "is not JSON"),
    "a conflict marker": (
        replace(MANIFEST, "modules:", "<<<<<<< HEAD\nmodules:"),
        "Take out what a merge left there",
    ),
}


@pytest.fixture(scope="module")
def sound(render: Render) -> Path:
    """A repository as it is generated."""
    residual = {"name": "ResidualBlock", "kind": "residual", "role": "layer"}
    modules = [
        {"name": "ConvBlock", "kind": "conv", "role": "layer", "file": "conv_block"},
        residual | {"file": "residual_block"},
    ]
    return render(package="digits", modules=modules)


@pytest.fixture
def repository(sound: Path, tmp_path: Path) -> Path:
    """A copy of it, to be broken."""
    return shutil.copytree(sound, tmp_path / "repository")


def run_manifest_test(repository: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_manifest.py"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_generated_repository_passes(sound: Path, program: Program) -> None:
    assert "7 passed" in program(sound, "pytest", "-q", "tests/test_manifest.py")


def test_lines_that_authors_add_to_an_index_are_theirs(repository: Path) -> None:
    append(INDEX, '\nfrom torch.nn import Linear\n\n__all__ = ["Linear"]\n')(repository)

    assert run_manifest_test(repository).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_fails_with_what_to_do(repository: Path, breach: str) -> None:
    change, sentence = BREACHES[breach]
    change(repository)

    result = run_manifest_test(repository)

    assert result.returncode == 1
    assert sentence in result.stdout
