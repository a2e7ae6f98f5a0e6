"""One `nnscaffold check` from its options to its result: settings, cache, baseline, fixes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nnscaffold.check import run
from nnscaffold.check.baseline import read_baseline, write_baseline
from nnscaffold.check.cache import Cache, open_cache
from nnscaffold.check.errors import BadRequest
from nnscaffold.check.fixing import Outcome, fix, write_changes
from nnscaffold.check.settings import load_settings
from nnscaffold.check.sources import MAX_BYTES, read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nnscaffold.check.run import Report


@dataclass(frozen=True)
class Request:
    """What somebody asked for.

    Attributes:
        paths: Files and folders.
        texts: Bytes of files that are not read from disk, by path.
        select: Rules that are on, instead of those of the settings.
        extend_select: Further rules that are on.
        ignore: Rules that are off.
        fix: Whether to apply fixes: `no`, `show` or `write`.
        baseline: A file of findings that are not reported, instead of that of the settings.
        write_baseline: Where to write all findings as a baseline.
        use_cache: Whether to read and write the cache.
    """

    paths: tuple[str, ...]
    texts: Mapping[str, bytes] = field(default_factory=dict)
    select: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fix: Literal["no", "show", "write"] = "no"
    baseline: Path | None = None
    write_baseline: Path | None = None
    use_cache: bool = True


@dataclass(frozen=True)
class Result:
    """What it came to.

    Attributes:
        report: The findings that are left.
        outcome: What fixing did, or would do.
        outdated: How many entries of the baseline are fixed.
        recorded: How many findings were written as a baseline.
    """

    report: Report
    outcome: Outcome | None = None
    outdated: int = 0
    recorded: int | None = None


def check(request: Request, progress: Callable[[int, int], None] | None = None) -> Result:
    """Do what was asked for.

    Raises:
        BadRequest: A path, an option or a setting is wrong; nothing was written.
        WriteFailed: A file cannot be written; none was.
    """
    for path, data in request.texts.items():
        if len(data) > MAX_BYTES:
            raise BadRequest("input-too-big", f"{path} is too big to check.", "Divide it.")
    settings = load_settings(request.paths).with_options(
        request.select, request.extend_select, request.ignore
    )
    cache = open_cache(settings) if request.use_cache else Cache()
    file = None if request.write_baseline else request.baseline or settings.baseline
    baseline = read_baseline(file) if file else None
    outdated = 0

    def look(changed: Mapping[str, bytes]) -> Report:
        nonlocal outdated
        overlay = {**request.texts, **changed}
        report = run.check_paths(
            request.paths, settings, cache=cache, overlay=overlay, progress=progress
        )
        if baseline:
            new, left = baseline.divide(report.findings, report.lines)
            outdated = baseline.fixed(left, report.files, settings.enabled)
            report = replace(report, findings=tuple(new))
        return report

    report = look({})
    if request.fix != "write":
        cache.write(settings.root)
    if request.write_baseline:
        count = write_baseline(request.write_baseline, report.findings, report.lines)
        return Result(replace(report, findings=()), recorded=count)
    if request.fix == "no":
        return Result(report, outdated=outdated)

    def read(path: str) -> bytes:
        return request.texts[path] if path in request.texts else read_bytes(path)

    outcome = fix(look, report, read)
    if request.fix == "write":
        write_changes(outcome.changes)
        cache.write(settings.root)
    return Result(outcome.report, outcome, outdated)
