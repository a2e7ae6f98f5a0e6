"""What a check found out about each file, kept for the next one.

One file for each root: JSON, in which summaries and findings are texts of their own, so that only
those that are needed are read. Processes may write it at once: that of the last one stays. One
that cannot be read is as good as none; where none can be written, nothing is said.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnscaffold.check.encoding import decode, encode
from nnscaffold.check.finding import Edit, Finding, Fix, Span
from nnscaffold.check.index import Summary
from nnscaffold.check.noqa import Directive
from nnscaffold.check.writing import PREFIX, written_beside
from nnscaffold.contract import rules

if TYPE_CHECKING:
    from nnscaffold.check.settings import Settings

FOLDER = ".nnscaffold_cache"
VARIABLE = "NNSCAFFOLD_CACHE_DIR"
_SECONDS_KEPT = 30 * 24 * 3600
# Different sets of files see different bases; somebody checks `src` here and `.` there.
_TREES_KEPT = 4
_TAG = """Signature: 8a477f597d28d172789f06886806bc55
# A cache of `nnscaffold check`, which can be removed. See https://bford.info/cachedir/
"""


@dataclass
class Entry:
    """What is known of a file with certain bytes.

    Attributes:
        digest: Of its bytes.
        module: Its dotted name.
        directives: Its comments that silence, encoded.
        imports: Names that may be modules, divided by blanks.
        summary: For other files, encoded; empty: it has none.
        note: Why it has none: the message, the line, whether it is a template of Python.
        findings: By digest of the tree that they depend on, encoded; the newest come last.
    """

    digest: str
    module: str
    directives: str = ""
    imports: str = ""
    summary: str = ""
    note: tuple[str, int | None, bool] | None = None
    findings: dict[str, str] = field(default_factory=dict)


class Cache:
    """The cache of one root.

    Args:
        file: Where it is; None: it lasts as long as this object.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._entries: dict[str, Entry] = {}
        self._trees: dict[str, str] = {}
        self._changed = False
        if file is not None and os.path.isfile(file):  # reading a pipe would not end
            self._read(file)

    def entry(self, path: str, digest: str, module: str) -> Entry:
        """What is known of a file; nothing yet, if it is not what it was.

        Args:
            path: Relative to the root.
            digest: Of its bytes.
            module: Its dotted name.
        """
        entry = self._entries.get(path)
        if entry is None or (entry.digest, entry.module) != (digest, module):
            entry = self._entries[path] = Entry(digest, module)
            self._changed = True
        return entry

    def tree(self, key: str) -> str | None:
        """The digest of the index of a tree that we have seen before."""
        return self._trees.get(key)

    def keep_tree(self, key: str, digest: str) -> None:
        """Remember the digest of the index of a tree."""
        self._trees.pop(key, None)
        self._trees[key] = digest
        for old in list(self._trees)[:-_TREES_KEPT]:
            del self._trees[old]
        self._changed = True

    def keep_findings(self, entry: Entry, tree: str, findings: list[Finding]) -> None:
        """Remember the findings of a file in a tree."""
        entry.findings[tree] = encode_findings(findings)
        for old in list(entry.findings)[:-_TREES_KEPT]:
            del entry.findings[old]
        self._changed = True

    def write(self, root: Path) -> None:
        """Keep all of it on disk, but for files that are gone."""
        if self._file is None or not self._changed:
            return
        entries = {
            path: {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
            for path, entry in self._entries.items()
            if os.path.exists(root / path)
        }
        text = json.dumps({"trees": self._trees, "entries": entries}, separators=(",", ":"))
        with contextlib.suppress(OSError):
            _make_folder(self._file.parent)
            # Not through a link, which a repository may hold to have another file written.
            with written_beside(self._file, text.encode(errors="surrogatepass")) as beside:
                beside.replace(self._file)
            _prune(self._file)

    def _read(self, file: Path) -> None:
        try:
            document = json.loads(file.read_text(encoding="utf-8", errors="surrogatepass"))
            self._entries = {path: _entry(each) for path, each in document["entries"].items()}
            self._trees = {str(key): str(digest) for key, digest in document["trees"].items()}
            os.utime(file)  # it is in use: see _prune
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass


def open_cache(settings: Settings) -> Cache:
    """The cache for these settings.

    It is in `$NNSCAFFOLD_CACHE_DIR`, else in a folder beside `pyproject.toml`, else, in a folder
    that is nobody's project, in the user's own cache.
    """
    folder = _folder(settings.root)
    depends_on = [
        str(settings.root.resolve()),
        *settings.module_roots,
        sys.version,
        _own_digest(),
    ]
    return Cache(folder / f"check-{digest_of(repr(depends_on).encode())[:20]}.json")


def digest_of(data: bytes) -> str:
    """A digest of bytes."""
    return hashlib.blake2b(data, digest_size=20).hexdigest()


def encode_summary(summary: Summary) -> str:
    """A summary as text; empty if it cannot be kept."""
    try:
        return json.dumps(encode(summary), separators=(",", ":"))
    except (TypeError, RecursionError):
        return ""


def decode_summary(text: str) -> Summary | None:
    """The summary that was encoded."""
    try:
        summary = decode(json.loads(text))
    except (ValueError, RecursionError):
        return None
    return summary if isinstance(summary, Summary) else None


def encode_findings(findings: list[Finding]) -> str:
    """Findings as text, without the path: the next check may show another one."""
    return json.dumps(
        [
            [
                each.rule.code,
                _span(each.span),
                each.message,
                each.name,
                each.fix
                and [
                    each.fix.summary,
                    [[_span(edit.span), edit.text] for edit in each.fix.edits],
                    each.fix.new_keys,
                ],
            ]
            for each in findings
        ],
        separators=(",", ":"),
    )


def decode_findings(text: str, path: str) -> list[Finding] | None:
    """The findings that were encoded, in a file that is shown as `path`."""
    try:
        return [
            Finding(rules.RULES[code], path, Span(*span), message, name, fix and _fix(*fix))
            for code, span, message, name, fix in json.loads(text)
        ]
    except (ValueError, KeyError, TypeError):
        return None


def encode_directives(directives: list[Directive]) -> str:
    """Comments that silence, as text."""
    return json.dumps([[d.line, d.first, d.column, d.text, d.words] for d in directives])


def decode_directives(text: str) -> list[Directive]:
    """The comments that were encoded."""
    return [
        Directive(line, first, column, comment, tuple(words))
        for line, first, column, comment, words in json.loads(text or "[]")
    ]


def _span(span: Span) -> list[int]:
    return [span.line, span.column, span.end_line, span.end_column]


def _fix(summary: str, edits: list[Any], new_keys: list[str]) -> Fix:
    return Fix(summary, tuple(Edit(Span(*span), text) for span, text in edits), tuple(new_keys))


def _entry(fields: dict[str, Any]) -> Entry:
    entry = Entry(**fields)
    if entry.note is not None:
        message, line, template = entry.note
        entry.note = (message, line, template)
    texts = (entry.digest, entry.module, entry.directives, entry.imports, entry.summary)
    if not (isinstance(entry.findings, dict) and all(isinstance(one, str) for one in texts)):
        raise TypeError
    decode_directives(entry.directives)
    return entry


def _folder(root: Path) -> Path:
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen, "nnscaffold-check")
    if os.path.isfile(root / "pyproject.toml"):
        return root / FOLDER
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(caches, "nnscaffold")


@cache
def _own_digest() -> str:
    """Changes with every byte of the checker: rules change while they are developed."""
    here = Path(__file__).parent
    files = sorted(here.rglob("*.py"))
    return digest_of(b"".join(file.read_bytes() for file in [*files, Path(rules.__file__)]))


def _make_folder(folder: Path) -> None:
    """The folder, which says itself that it is a cache: git and backups leave it out."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ((".gitignore", "*\n"), ("CACHEDIR.TAG", _TAG)):
        if not (folder / name).exists():
            (folder / name).write_text(text, encoding="utf-8")


def _prune(current: Path) -> None:
    """Remove what no check has used for a month: of old versions, of roots that are gone."""
    oldest = time.time() - _SECONDS_KEPT
    for file in current.parent.iterdir():
        ours = re.fullmatch(rf"\.?check-[0-9a-f]+\.json.*|{re.escape(PREFIX)}[0-9a-f]+", file.name)
        if ours and file != current and file.stat().st_mtime < oldest:
            file.unlink(missing_ok=True)
