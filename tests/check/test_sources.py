"""Which files are checked, what they are called, and which are not read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nnscaffold.check.errors import BadRequest
from nnscaffold.check.settings import Settings
from nnscaffold.check.sources import (
    MAX_BYTES,
    ModuleNames,
    Unreadable,
    decode,
    encode,
    find_files,
    parse,
    read_bytes,
    split_lines,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Tree = Callable[..., Path]


def found(*paths: str, exclude: tuple[str, ...] = ()) -> list[str]:
    return find_files(paths, Settings(exclude=exclude))[0]


def test_python_files_are_found_in_a_stable_order_and_shown_as_they_were_named(tree: Tree) -> None:
    tree({"b.py": "", "a/z.py": "", "a/m.txt": "", "a/stub.pyi": "", "c/d/e.py": ""})
    assert found(".") == ["a/z.py", "b.py", "c/d/e.py"]
    assert found("./c", "b.py", "a") == ["c/d/e.py", "b.py", "a/z.py"]
    absolute = str(Path.cwd() / "a")
    assert found(absolute) == [f"{absolute}/z.py"]


def test_what_is_nobodys_source_is_skipped(tree: Tree) -> None:
    tree(
        {
            ".hidden/a.py": "",
            "__pycache__/a.py": "",
            "node_modules/a.py": "",
            "build/lib/a.py": "",
            "dist/a.py": "",
            "env/pyvenv.cfg": "",
            "env/lib/a.py": "",
            "pkg/build/__init__.py": "",
            "kept.py": "",
        }
    )
    assert found(".") == ["kept.py", "pkg/build/__init__.py"]
    assert found(".hidden") == [".hidden/a.py"]  # somebody wants it


def test_a_file_is_checked_once_however_often_it_is_reached(tree: Tree) -> None:
    root = tree({"a/b.py": "", "a/c.py": ""})
    (root / "a" / "loop").symlink_to(root)
    (root / "again").symlink_to(root / "a")
    assert found(".", "a", "a/b.py", "./a/../a/b.py") == ["a/b.py", "a/c.py"]
    (root / "self").symlink_to(root / "self")
    assert found(".") == ["a/b.py", "a/c.py"]


def test_excluded_files_are_skipped_and_named_ones_are_noted(tree: Tree) -> None:
    tree({"a/gen/x.py": "", "a/y.py": "", "vendor/z.py": "", "top_pb2.py": ""})
    patterns = ("a/gen", "vendor/**", "*_pb2.py")
    assert found(".", exclude=patterns) == ["a/y.py"]
    files, notes = find_files(["vendor/z.py", "vendor"], Settings(exclude=patterns))
    assert files == []
    assert [note.path for note in notes] == ["vendor/z.py", "vendor"]
    place = Path.cwd() / "pyproject.toml"
    assert {note.message for note in notes} == {f"not checked: `exclude` in {place} means it"}


def test_a_path_that_does_not_exist_is_bad_input(tree: Tree) -> None:
    tree({"a.py": ""})
    Path("broken.py").symlink_to("nope")
    for name in ("nope", "a.py/nope", "broken.py"):
        with pytest.raises(BadRequest, match=f"no file or folder {name}"):
            found("a.py", name)


def test_a_named_path_that_cannot_be_read_is_bad_input(tree: Tree) -> None:
    root = tree({"a.py": ""})
    (root / "loop.py").symlink_to("loop.py")
    os.mkfifo(root / "pipe.py")
    for name, message in (
        ("loop.py", "loop.py cannot be read"),
        ("pipe.py", "pipe.py is neither a regular file nor a folder"),
        ("n" * 300, "cannot be read: File name too long"),
    ):
        with pytest.raises(BadRequest, match=message):
            found("a.py", name)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("pkg/sub/a.py", "pkg.sub.a"),
        ("pkg/sub/__init__.py", "pkg.sub"),
        ("pkg/plain/b.py", "pkg.plain.b"),
        ("src/app/c.py", "app.c"),
        ("src/spaced/deep/d.py", "spaced.deep.d"),
        ("python/lib/e.py", "lib.e"),
        ("scripts/train.py", "scripts.train"),
        ("train.py", "train"),
    ],
)
def test_modules_are_named_as_they_are_imported(tree: Tree, path: str, name: str) -> None:
    packages = ("pkg", "pkg/sub", "src/app", "python/lib")
    root = tree({**{f"{folder}/__init__.py": "" for folder in packages}, path: ""})
    assert ModuleNames(root).name(path) == name
    assert ModuleNames(root).name(os.path.abspath(path)) == name


def test_encodings_and_marks_are_those_of_the_file() -> None:
    assert decode("\ufeffx = 'é'\n".encode()).encoding == "utf-8-sig"
    assert decode("\ufeffx = 1\r\n".encode()).text == "x = 1\r\n"
    assert "é" in decode("# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1")).text
    text = "# coding: latin-1\nx = 'é'\n"
    assert decode(encode(text)).text == text


@pytest.mark.parametrize(
    "data", [b"x = '\xff'\n", b"# coding: klingon\n", b"# coding: rot13\n", b"\xff\xfex\0"]
)
def test_what_is_not_text_is_a_note(data: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(data)


@pytest.mark.parametrize(
    "text", ["def f(:\n", "x = 1\0\n", f"x = {'(' * 5000}{')' * 5000}\n", "x = " + "-" * 200_000]
)
def test_what_is_not_python_is_a_note(text: str) -> None:
    with pytest.raises(Unreadable):
        parse(text)


def test_templates_of_python_are_not_even_noted() -> None:
    for text in ("{% if a %}\nimport b\n", "import {{ package }}\n"):
        with pytest.raises(Unreadable) as caught:
            parse(text)
        assert caught.value.template
    with pytest.raises(Unreadable) as caught:
        parse("x = f'{{}}'\ndef f(:\n")
    assert (caught.value.template, caught.value.line) == (False, 2)


def test_a_warning_about_the_source_is_not_printed(recwarn: pytest.WarningsRecorder) -> None:
    parse(r"x = '\d'")
    assert list(recwarn) == []


def test_big_and_irregular_files_are_not_read(tree: Tree) -> None:
    root = tree({"big.py": "#" * (MAX_BYTES + 1)})
    os.mkfifo(root / "pipe.py")
    for name in ("big.py", "pipe.py", "missing.py"):
        with pytest.raises(Unreadable):
            read_bytes(name)


def test_lines_are_those_of_python() -> None:
    text = "a\x0cb\u2028c\r\nd\re\n\nf"
    assert split_lines(text) == ["a\x0cb\u2028c\r\n", "d\r", "e\n", "\n", "f"]
    assert split_lines("a\n") == ["a\n"]
    assert split_lines("") == []


def test_a_file_and_links_to_it_are_one(tree: Tree) -> None:
    root = tree({"a.py": "x = 1\n"})
    (root / "b.py").symlink_to("a.py")
    (root / "loop.py").symlink_to("loop.py")
    files, _ = find_files([root], Settings(root=root))
    assert [Path(file).name for file in files] == ["a.py", "loop.py"]


def test_a_notebook_is_no_file_of_python(tree: Tree) -> None:
    root = tree({"a.ipynb": "{}"})
    files, notes = find_files([root / "a.ipynb"], Settings(root=root))
    assert files == []
    assert "notebook" in notes[0].message
