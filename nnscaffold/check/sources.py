"""The files that are checked: which they are, their text, their dotted names.

Skipped without a word: hidden folders, `__pycache__`, `node_modules`, virtual environments, `build`
and `dist` where they are no packages, what `exclude` names, and templates of Python: files that are
no Python and have `{% … %}`, or `{{ … }}` in their path or in the line where Python ends.
What else in a folder cannot be read or parsed gives a note, not a finding; a path that somebody
named and that cannot be read is an error.
"""

from __future__ import annotations

import ast
import io
import os
import re
import stat
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nnscaffold.check.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from nnscaffold.check.settings import Settings

# Of what people write by hand, the largest files have about one megabyte. The tree of a file takes
# fifty times its size in memory.
MAX_BYTES = 2_000_000
_SKIPPED = {"__pycache__", "node_modules"}
_SKIPPED_UNLESS_PACKAGE = {"build", "dist"}


@dataclass(frozen=True)
class Note:
    """Something that kept a file, or a part of the work, from being checked.

    Attributes:
        path: The file, as it was named.
        line: Where in it, if that is known.
        message: What it is, one sentence without the final full stop.
    """

    path: str
    line: int | None
    message: str


@dataclass(frozen=True)
class Text:
    """A file's text, and how to write it again.

    Attributes:
        text: All of it, line ends as they are, without the byte order mark.
        encoding: `utf-8-sig` where it had that mark.
    """

    text: str
    encoding: str


class Unreadable(Exception):
    """A file's text cannot be had.

    Attributes:
        line: Where, if that is known.
        template: Whether it is a template of Python, of which nobody wants to hear.
    """

    def __init__(self, message: str, line: int | None = None, template: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.template = template


def find_files(
    paths: Iterable[str | Path], settings: Settings, overlay: Container[str] = ()
) -> tuple[list[str], list[Note]]:
    """The files to check, each once, as they are shown; and notes about named ones that are not.

    Args:
        paths: Files and folders. `exclude` counts for files that are named, too: pre-commit names
            those that it wants checked.
        settings: How to check.
        overlay: Files that need not exist.

    Raises:
        BadRequest: A path does not exist, or cannot be read.
    """
    files: dict[str, str] = {}
    notes: list[Note] = []
    visited: set[str] = set()
    for path in map(os.path.normpath, paths):
        is_folder = path not in overlay and _expect_readable(path)
        if settings.excludes(path):
            # The file is there: nothing else has patterns.
            place = settings.root / "pyproject.toml"
            notes.append(Note(path, None, f"not checked: `exclude` in {place} means it"))
        elif is_folder:
            for file in _walk(path, settings, visited, notes):
                files.setdefault(_identity(file), file)
        elif path.endswith(".ipynb"):
            notes.append(Note(path, None, "not checked: a notebook is not a file of Python"))
        elif not path.endswith(".pyi"):
            files.setdefault(_identity(path), path)
    return list(files.values()), notes


def _expect_readable(path: str) -> bool:
    """Whether a path that somebody named is a folder.

    Raises:
        BadRequest: It is neither a folder nor a file that can be read.
    """
    try:
        # A pipe is not opened: that would wait for somebody who writes.
        if stat.S_ISREG(mode := os.stat(path).st_mode):
            os.close(os.open(path, os.O_RDONLY))
        elif stat.S_ISDIR(mode):
            os.scandir(path).close()
        else:
            raise BadRequest(
                "path-unreadable",
                f"{path} is neither a regular file nor a folder.",
                "Write its text to standard input, and `-` for the path.",
            )
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadRequest(
            "path-missing", f"There is no file or folder {path}.", "Check its name."
        ) from error
    except OSError as error:
        raise BadRequest(
            "path-unreadable",
            f"{path} cannot be read: {error.strerror}.",
            "Make it readable, or name another path.",
        ) from error
    return stat.S_ISDIR(mode)


def _identity(path: str) -> str:
    """What two names of one file share, links to it too."""
    return os.path.realpath(path)


def _walk(folder: str, settings: Settings, visited: set[str], notes: list[Note]) -> Iterator[str]:
    """The Python files below a folder, sorted; links are followed, each real folder only once."""
    real = os.path.realpath(folder)
    if real in visited:
        return
    visited.add(real)
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        notes.append(Note(folder, None, f"cannot be read: {error.strerror}"))
        return
    for entry in entries:
        path = os.path.normpath(entry.path)
        if entry.name.startswith(".") or settings.excludes(path):
            continue
        if _is_folder(entry):
            if not _is_skipped(entry):
                yield from _walk(path, settings, visited, notes)
        elif entry.name.endswith(".py") and _is_file(entry):
            yield path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file, or a link to nowhere, which is then named as unreadable."""
    try:
        return entry.is_file()
    except OSError:
        return True


def _is_skipped(entry: os.DirEntry[str]) -> bool:
    if entry.name in _SKIPPED:
        return True
    if entry.name in _SKIPPED_UNLESS_PACKAGE:
        return not os.path.exists(os.path.join(entry.path, "__init__.py"))
    return os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))


def read_bytes(path: str) -> bytes:
    """A file's bytes.

    Raises:
        Unreadable: It cannot be read, is not a regular file, or is too big.
    """
    try:
        if not os.path.isfile(path):  # reading a pipe would not end
            raise Unreadable("not a regular file")
        size = os.path.getsize(path)
        if size > MAX_BYTES:
            raise Unreadable(f"not checked: {size / 1e6:.1f} MB are more than {MAX_BYTES / 1e6:g}")
        return Path(path).read_bytes()
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from error


def decode(data: bytes) -> Text:
    """The text of a file, in the encoding that it declares (PEP 263).

    Raises:
        Unreadable: It is not in that encoding, or there is no such encoding.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return Text(data.decode(encoding), encoding)
    except UnicodeError as error:
        raise Unreadable(f"not in its encoding: {error}") from error
    except (SyntaxError, LookupError, ValueError) as error:
        raise Unreadable(f"no text: {getattr(error, 'msg', None) or error}") from error


def encode(text: str) -> bytes:
    """A text as a file would hold it, in the encoding that it declares.

    Raises:
        ValueError: It cannot be held in that.
    """
    try:
        data = text.encode("utf-8")
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return text.removeprefix("\ufeff").encode(encoding)
    except (SyntaxError, LookupError) as error:
        raise ValueError(str(error)) from error


def parse(text: str, path: str = "<string>") -> ast.Module:
    """The syntax of a text.

    Raises:
        Unreadable: It is not Python of this version, or nested too deeply.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in strings: not our subject
            return ast.parse(text)
    except SyntaxError as error:
        template = _is_template(text, path, error)
        raise Unreadable(f"not valid Python: {error.msg}", error.lineno, template) from error
    except ValueError as error:
        raise Unreadable(f"not valid Python: {error}") from error
    except (RecursionError, MemoryError) as error:
        raise Unreadable("nested too deeply to be read") from error


def _is_template(text: str, path: str, error: SyntaxError) -> bool:
    # Braces in pairs alone are common: each f-string may have them.
    around = f"{path}\n{error.text or ''}"
    return bool(re.search(r"\{%.*?%\}", text) or re.search(r"\{\{.*?\}\}", around))


def split_lines(text: str) -> list[str]:
    """The lines of a text as Python counts them, with their ends.

    Not `str.splitlines`, which also divides at form feeds and at separators of Unicode.
    """
    return re.findall(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+", text)


class ModuleNames:
    """Dotted names of files, as other files import them.

    Relative to the parent of the outermost package that the file is in; outside of packages,
    relative to a folder `src`, else to the root. Two files never share a name for being called
    alike in folders that are no packages.

    Args:
        root: The folder above which there are no packages.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.path.abspath(root)
        self._bases: dict[str, str] = {}

    def name(self, path: str) -> str:
        """The dotted name of a file."""
        folder, name = os.path.split(os.path.abspath(path))
        relative = os.path.relpath(folder, self.base(path))
        parts = [part for part in relative.split(os.sep) if part not in (".", "..")]
        stem = name.removesuffix(".py")
        return ".".join(parts if stem == "__init__" and parts else [*parts, stem])

    def base(self, path: str) -> str:
        """The folder that the name of a file is relative to."""
        folder = os.path.dirname(os.path.abspath(path))
        if folder not in self._bases:
            self._bases[folder] = self._base(folder)
        return self._bases[folder]

    def _base(self, folder: str) -> str:
        source = None
        while folder != self._root and folder.startswith(os.path.join(self._root, "")):
            if os.path.exists(os.path.join(folder, "__init__.py")):
                source = os.path.dirname(folder)  # of the outermost package so far
            elif source is None and os.path.basename(folder) == "src":
                source = folder
            folder = os.path.dirname(folder)
        return source or self._root
