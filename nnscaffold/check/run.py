"""A check of files: which findings they have, by the analysis, the settings and the comments.

Syntax is big, so that files are read in two passes: each is summarised, then each is looked at
beside the others. Only a little syntax is kept in between, and a file of which the cache knows all
is not parsed.
"""

from __future__ import annotations

import gc
import os
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nnscaffold.check import cache as caching
from nnscaffold.check import noqa
from nnscaffold.check.analysis import File, Index, Source, find, summarise
from nnscaffold.check.cache import Cache, Entry
from nnscaffold.check.imports import Modules, imported_names
from nnscaffold.check.selection import UNUSED_NOQA
from nnscaffold.check.settings import Settings
from nnscaffold.check.sources import (
    ModuleNames,
    Note,
    Unreadable,
    decode,
    encode,
    find_files,
    parse,
    read_bytes,
    split_lines,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from nnscaffold.check.analysis import Summary
    from nnscaffold.check.finding import Finding

# Of source, whose syntax is kept from the first pass to the second: about a hundred megabytes.
_BYTES_KEPT = 3_000_000
# Files that are read for what others take from them; the nearest first.
_MAX_IMPORTED = 200
_OBJECTS_BETWEEN_COLLECTIONS = 200_000


@dataclass(frozen=True)
class Report:
    """What a check came to.

    Attributes:
        findings: All that are to be reported, file by file, each in the order of places.
        notes: Files that could not be checked, and why.
        files: Those that were checked, as they are shown.
        lines: The text of each line in which a finding begins, by path and number.
    """

    findings: tuple[Finding, ...] = ()
    notes: tuple[Note, ...] = ()
    files: tuple[str, ...] = ()
    lines: Mapping[tuple[str, int], str] = field(default_factory=dict)


@dataclass
class _File:
    path: str
    relative: str
    module: str
    digest: str
    entry: Entry
    parsed: File | None = None
    summary: Summary | None = None


def check_source(
    text: str, path: str = "<string>", *, settings: Settings | None = None
) -> list[Finding]:
    """The findings of one text, by itself.

    Args:
        text: A file of Python.
        path: How it is shown; settings for certain files go by it.
        settings: The rules that are on; by default those that are on by default.

    Raises:
        ValueError: It is not Python.
    """
    run = _Run(settings or Settings(), Cache(), {path: encode(text)})
    report = run.check([path])
    if not report.files:
        raise ValueError(report.notes[0].message if report.notes else "a template, not Python")
    return list(report.findings)


def check_paths(
    paths: Sequence[str | Path],
    settings: Settings,
    *,
    cache: Cache | None = None,
    overlay: Mapping[str, bytes] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """The findings of files, and of the Python files below folders.

    Args:
        paths: Files and folders.
        settings: How to check.
        cache: What is known from earlier checks; it learns from this one, and is not written.
        overlay: Bytes that take the place of those of files, by path as it is shown. Such a file
            need not exist, if it is among `paths`.
        progress: Called after each step with how many are done, and of how many.

    Raises:
        BadRequest: A path does not exist.
    """
    overlay = overlay or {}
    files, notes = find_files(paths, settings, overlay)
    run = _Run(settings, cache or Cache(), overlay, progress)
    report = run.check(files)
    return Report(report.findings, (*notes, *report.notes), report.files, report.lines)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let the garbage collector look less often: syntax is many objects, none of them garbage."""
    thresholds = gc.get_threshold()
    gc.set_threshold(max(thresholds[0], _OBJECTS_BETWEEN_COLLECTIONS), *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


class _Run:
    def __init__(
        self,
        settings: Settings,
        cache: Cache,
        overlay: Mapping[str, bytes],
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._settings = settings
        self._cache = cache
        self._overlay = overlay
        self._progress = progress
        self._notes: list[Note] = []
        self._bytes_kept = 0
        self._files: list[_File] = []
        self._imported: list[_File] = []
        self._index: Index | None = None

    def check(self, paths: Sequence[str]) -> Report:
        with _rare_collections():
            return self._check(paths)

    def _check(self, paths: Sequence[str]) -> Report:
        names = ModuleNames(self._settings.root)
        modules = {path: names.name(path) for path in paths}
        steps = 2 * len(paths)
        for number, (path, module) in enumerate(modules.items(), start=1):
            try:
                self._files.append(self._first_look(path, module))
            except Unreadable as error:
                self._note(path, error)
            self._report_progress(number, steps)
        self._imported = self._look_at_imports(names, set(modules.values()))
        tree = self._tree_digest()
        findings: list[Finding] = []
        checked = []
        lines: dict[tuple[str, int], str] = {}
        for number, file in enumerate(self._files, start=steps - len(self._files) + 1):
            try:
                found, shown = self._second_look(file, tree)
            except Unreadable as error:
                self._note(file.path, error)
            else:
                checked.append(file.path)
                findings += found
                lines |= shown
            file.parsed = None
            self._report_progress(number, steps)
        return Report(tuple(findings), tuple(self._notes), tuple(checked), lines)

    def _report_progress(self, done: int, of: int) -> None:
        if self._progress:
            self._progress(done, of)

    def _note(self, path: str, error: Unreadable) -> None:
        if not error.template:
            self._notes.append(Note(path, error.line, error.message))

    def _read(self, path: str) -> bytes:
        return self._overlay[path] if path in self._overlay else read_bytes(path)

    def _read_again(self, file: _File) -> bytes:
        data = self._read(file.path)
        if caching.digest_of(data) != file.digest:
            raise Unreadable("not checked: it has changed meanwhile")
        return data

    def _first_look(self, path: str, module: str) -> _File:
        """A file that can be checked, summarised unless the cache has its summary."""
        data = self._read(path)
        relative = self._settings.relative(path)
        digest = caching.digest_of(data)
        file = _File(path, relative, module, digest, self._cache.entry(relative, digest, module))
        if file.entry.note:
            raise Unreadable(*file.entry.note)
        if not file.entry.summary:
            try:
                self._summarise(file, data)
            except Unreadable as error:
                file.entry.note = (error.message, error.line, error.template)
                raise
        return file

    def _look_at_imports(self, names: ModuleNames, known: set[str]) -> list[_File]:
        """The files of the project that those to check import, and what they import in turn.

        Args:
            names: How files are named.
            known: The names of those that have been looked at.
        """
        modules = Modules(self._settings.root, names)
        modules.add_bases(file.path for file in self._files)
        waiting = deque(self._files)
        found: list[_File] = []
        while waiting and len(found) < _MAX_IMPORTED:
            for name in waiting.popleft().entry.imports.split():
                path = None if name in known else modules.find(name)
                known.add(name)
                if path is None:
                    continue
                try:
                    file = self._first_look(os.path.relpath(path), name)
                except Unreadable:
                    continue  # nobody asked for it
                found.append(file)
                waiting.append(file)
        return found

    def _summarise(self, file: _File, data: bytes) -> Summary:
        parsed = self._parse(file, data)
        try:
            file.summary = summarise(parsed)
        except RecursionError as error:
            raise Unreadable("nested too deeply to be checked") from error
        except Exception as error:
            error.add_note(f"while {file.path} was summarised")
            raise
        file.entry.summary = caching.encode_summary(file.summary)
        is_package = os.path.basename(file.path) == "__init__.py"
        file.entry.imports = " ".join(imported_names(parsed.tree, file.module, is_package))
        file.entry.directives = caching.encode_directives(noqa.read_directives(parsed.source.text))
        if self._bytes_kept + len(data) <= _BYTES_KEPT:
            self._bytes_kept += len(data)
            file.parsed = parsed
        return file.summary

    def _parse(self, file: _File, data: bytes) -> File:
        text = decode(data).text
        return File(Source(file.path, file.module, text), parse(text, file.path))

    def _tree_digest(self) -> str:
        """The digest of the index; which is not built where no file has changed since it was."""
        contents = [(file.relative, file.module, file.digest) for file in self._all()]
        key = caching.digest_of(repr(contents).encode("utf-8", "surrogatepass"))
        digest = self._cache.tree(key)
        if digest is None:
            digest = self._whole_index().digest
            self._cache.keep_tree(key, digest)
        return digest

    def _whole_index(self) -> Index:
        if self._index is None:
            summaries = [self._summary(file) for file in self._all()]
            self._index = Index(summaries, self._settings.module_roots)
        return self._index

    def _all(self) -> list[_File]:
        return [*self._files, *self._imported]

    def _summary(self, file: _File) -> Summary:
        return (
            file.summary
            or caching.decode_summary(file.entry.summary)
            or self._summarise(file, self._read_again(file))
        )

    def _second_look(
        self, file: _File, tree: str
    ) -> tuple[list[Finding], dict[tuple[str, int], str]]:
        """The findings of a file that are to be reported, and the texts of their lines."""
        kept = file.entry.findings.get(tree)
        found = caching.decode_findings(kept, file.path) if kept else None
        if found is None:
            parsed = file.parsed or self._parse(file, self._read_again(file))
            try:
                found = find(parsed, self._whole_index())
            except RecursionError as error:
                raise Unreadable("nested too deeply to be checked") from error
            except Exception as error:
                error.add_note(f"while {file.path} was checked")
                raise
            self._cache.keep_findings(file.entry, tree, found)
        directives = caching.decode_directives(file.entry.directives)
        on = self._settings.enabled(file.path)
        chosen = [each for each in found if each.rule.code in on]
        if not (chosen or directives):
            return [], {}
        reported = noqa.silence(chosen, directives)
        text = decode(self._read_again(file)).text
        if UNUSED_NOQA.code in on:
            reported += noqa.unused(file.path, text, chosen, directives, on)
            reported.sort(key=lambda each: each.span)
        lines = split_lines(text)
        wanted = {each.span.line for each in reported}
        return reported, {
            (file.path, line): lines[line - 1].rstrip("\r\n")
            for line in wanted
            if line <= len(lines)
        }
