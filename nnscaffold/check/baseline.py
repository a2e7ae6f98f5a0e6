"""A baseline: a file with the findings that a code base has, so that only new ones are reported.

An entry is a path, a code, what the finding is about and the text of its line, with how often that
occurs: so lines may move.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nnscaffold.check.errors import BadRequest, WriteFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nnscaffold.check.finding import Finding

SCHEMA = 1


class Key(NamedTuple):
    """What a finding is recognised by; the path is relative to the folder of the baseline."""

    path: str
    code: str
    name: str
    text: str


@dataclass(frozen=True)
class Baseline:
    """Findings that are not reported.

    Attributes:
        file: Where they are kept.
        counts: How often each is expected.
    """

    file: Path
    counts: Mapping[Key, int]

    def divide(
        self, findings: Sequence[Finding], lines: Mapping[tuple[str, int], str]
    ) -> tuple[list[Finding], Counter[Key]]:
        """The findings that are new, and what is in the baseline and was not found."""
        left = Counter(self.counts)
        new = []
        for finding in findings:
            key = _key(self.file, finding, lines)
            if left[key] > 0:
                left[key] -= 1
            else:
                new.append(finding)
        return new, +left

    def fixed(
        self, left: Counter[Key], paths: Iterable[str], enabled: Callable[[Path], frozenset[str]]
    ) -> int:
        """How many entries are out of date: of files that were checked, or that are gone.

        Args:
            left: What was not found.
            paths: The files that were checked.
            enabled: The rules that are on in a file.
        """
        checked = {_relative(self.file, path) for path in paths}
        return sum(
            count
            for key, count in left.items()
            if not (self.file.parent / key.path).exists()
            or (key.path in checked and key.code in enabled(self.file.parent / key.path))
        )


def read_baseline(file: Path) -> Baseline:
    """Read a baseline.

    Raises:
        BadRequest: There is none, or it is not one.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRequest(
            "baseline-unreadable",
            f"The baseline {file} cannot be read: {error.strerror}.",
            f"Make one with `--write-baseline {file}`.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise _malformed(file) from error
    try:
        if document["schema"] != SCHEMA:
            raise _malformed(file)
        counts: Counter[Key] = Counter()
        for each in document["findings"]:
            key = Key(*(str(each[name]) for name in Key._fields))
            counts[key] += int(each["count"])
    except (KeyError, TypeError, ValueError) as error:
        raise _malformed(file) from error
    return Baseline(file, counts)


def write_baseline(
    file: Path, findings: Iterable[Finding], lines: Mapping[tuple[str, int], str]
) -> int:
    """Write the findings as a baseline, in one step and in a stable order; how many there are.

    Raises:
        BadRequest: There is another file in its place.
        WriteFailed: The file cannot be written.
    """
    if file.exists():
        read_baseline(file)  # nothing but a baseline is overwritten
    counts = Counter(_key(file, finding, lines) for finding in findings)
    entries = [{**key._asdict(), "count": count} for key, count in sorted(counts.items())]
    text = json.dumps({"schema": SCHEMA, "findings": entries}, indent=2, ensure_ascii=False)
    beside = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        beside.write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise WriteFailed(
            "baseline-unwritable",
            f"The baseline {file} cannot be written: {error.strerror}.",
            "Choose a folder that exists and is writable.",
        ) from error
    return counts.total()


def _key(file: Path, finding: Finding, lines: Mapping[tuple[str, int], str]) -> Key:
    text = lines.get((finding.path, finding.span.line), "").strip()
    return Key(_relative(file, finding.path), finding.rule.code, finding.name, text)


def _relative(file: Path, path: str) -> str:
    return Path(os.path.relpath(path, file.parent)).as_posix()


def _malformed(file: Path) -> BadRequest:
    return BadRequest(
        "baseline-malformed",
        f"{file} is not a baseline of this version.",
        "Make it again with `--write-baseline`.",
    )
