"""A baseline: a file with the findings that a code base has, so that only new ones are reported.

An entry is the identity of a finding, its path relative to the folder of the baseline, with how
often that occurs: so lines may move.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnscaffold.check.errors import BadRequest, WriteFailed
from nnscaffold.check.identity import Identity, identify
from nnscaffold.check.writing import is_read_only, write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nnscaffold.check.finding import Finding

SCHEMA = 1


@dataclass(frozen=True)
class Baseline:
    """Findings that are not reported.

    Attributes:
        file: Where they are kept.
        counts: How often each is expected.
    """

    file: Path
    counts: Mapping[Identity, int]

    def divide(
        self, findings: Sequence[Finding], lines: Mapping[tuple[str, int], str]
    ) -> tuple[list[Finding], Counter[Identity]]:
        """The findings that are new, and what is in the baseline and was not found."""
        left = Counter(self.counts)
        new = []
        for finding in findings:
            key = _relative_identity(self.file, finding, lines)
            if left[key] > 0:
                left[key] -= 1
            else:
                new.append(finding)
        return new, +left

    def fixed(
        self,
        left: Counter[Identity],
        paths: Iterable[str],
        enabled: Callable[[Path], frozenset[str]],
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
            if not os.path.exists(self.file.parent / key.path)
            or (key.path in checked and key.code in enabled(self.file.parent / key.path))
        )


def read_baseline(file: Path) -> Baseline:
    """Read a baseline.

    Raises:
        BadRequest: There is none, or it is not one.
    """
    _refuse_what_is_no_file(file)
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRequest(
            "baseline-unreadable",
            f"The baseline {file} cannot be read: {error.strerror}.",
            f"Make one with `--write-baseline {file}`."
            if isinstance(error, FileNotFoundError)
            else "Make it readable.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise _malformed(file) from error
    try:
        if document["schema"] != SCHEMA:
            raise _malformed(file)
        counts: Counter[Identity] = Counter()
        for each in document["findings"]:
            key, count = _entry(**each)
            counts[key] += count
    except (KeyError, TypeError, ValueError) as error:
        raise _malformed(file) from error
    return Baseline(file, counts)


def _entry(count: int, **parts: str) -> tuple[Identity, int]:
    values: list[Any] = list(parts.values())
    if type(count) is not int or count < 1 or not all(isinstance(each, str) for each in values):
        raise ValueError
    return Identity(**parts), count


def _refuse_what_is_no_file(file: Path) -> None:
    """Reading a pipe or a device would not end."""
    if os.path.lexists(file) and not os.path.isfile(file):
        raise BadRequest(
            "baseline-malformed", f"The baseline {file} is not a regular file.", "Name another one."
        )


def write_baseline(
    file: Path, findings: Iterable[Finding], lines: Mapping[tuple[str, int], str]
) -> int:
    """Write the findings as a baseline, in one step and in a stable order; how many there are.

    Raises:
        BadRequest: There is another file in its place.
        WriteFailed: The file cannot be written.
    """
    if os.path.lexists(file):
        read_baseline(file)  # nothing but a baseline is overwritten
    counts = Counter(_relative_identity(file, finding, lines) for finding in findings)
    entries = [{**key._asdict(), "count": count} for key, count in sorted(counts.items())]
    text = json.dumps({"schema": SCHEMA, "findings": entries}, indent=2, ensure_ascii=False)
    try:
        if file.exists() and is_read_only(file):
            raise PermissionError(0, "it is read-only")
        write_file(file, f"{text}\n".encode(errors="backslashreplace"))
    except OSError as error:
        raise WriteFailed(
            "baseline-unwritable",
            f"The baseline {file} cannot be written: {error.strerror}.",
            "Choose a folder that exists and is writable.",
        ) from error
    return counts.total()


def _relative_identity(
    file: Path, finding: Finding, lines: Mapping[tuple[str, int], str]
) -> Identity:
    identity = identify(finding, lines)
    return identity._replace(path=_relative(file, identity.path))


def _relative(file: Path, path: str) -> str:
    return Path(os.path.relpath(path, file.parent)).as_posix()


def _malformed(file: Path) -> BadRequest:
    return BadRequest(
        "baseline-malformed",
        f"{file} is not a baseline of this version.",
        "Make it again with `--write-baseline`.",
    )
