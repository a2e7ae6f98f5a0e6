"""From a checkpoint to an artefact that is proved, or to nothing."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..command import InputError, Reported, iter_causes, report_error, say, stop_status
from .comparison import NotLoadedBack, compare
from .diagnosis import explain, refuse_broken_contracts
from .report import Report, describe, size_of
from .subject import Subject, load_subject
from .target import REPORT, Target, Written


def export(target: Target, name: str) -> Report:
    """Write the artefact, load it back in a fresh process, compare, and deliver.

    Args:
        target: the options that were given, and checked
        name: the target's on the command line

    Raises:
        InputError: something that the user can change is wrong, the model's code for one
        Reported: what was written is not what the model is; nothing of it is left
    """
    subject = _loaded(target)
    refuse_broken_contracts(subject.model, subject.example())
    metadata = describe(subject)
    with _staged(target.out) as folder:
        say(f"writing {name} …")
        written = _written(target, subject, folder, metadata)
        say("loading it back in a fresh process …")
        try:
            comparison = compare(subject, type(target).__module__, folder)
        except NotLoadedBack as error:
            _log(target.out).write_text(str(error), encoding="utf-8")
            report_error(f"the artefact cannot be run; {_log(target.out)} says why.")
            raise Reported(1) from error
        report = Report(
            target=name,
            metadata=metadata,
            written=written,
            comparison=comparison,
            bytes_before=subject.bytes,
            bytes_after=size_of([folder / file for file in written.files]),
        )
        say(report.table())
        if reason := comparison.over(written.limits):
            report_error(f"nothing is exported: {reason}.")
            raise Reported(1)
        (folder / REPORT).write_text(report.to_json(), encoding="utf-8")
        target.deliver(folder)
    # Of an earlier export that failed.
    _log(target.out).unlink(missing_ok=True)
    proof = "" if comparison.proved else f", not proved: {comparison.metric_error}"
    say(f"exported to {target.out}{proof}")
    return report


def _loaded(target: Target) -> Subject:
    try:
        return load_subject(target.checkpoint)
    except (InputError, OSError) as _:
        raise
    except Exception as error:
        # The model cannot be built here, for example: a module names a device that is not there.
        raise explain(error, None, _log(target.out)) from error


def _written(
    target: Target,
    subject: Subject,
    folder: Path,
    metadata: dict[str, Any],
) -> Written:
    try:
        return target.write(subject, folder, metadata)
    except (InputError, OSError) as _:
        raise
    except Exception as error:
        if stop_status(error):
            raise
        for cause in iter_causes(error):
            # AOTInductor wraps the error of a full disk.
            if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
                raise cause from error
        raise explain(error, subject.model, _log(target.out), subject.example()) from error


def _log(out: Path) -> Path:
    # A name that nobody gives to a file of their own.
    return out.with_name(f"{out.name}.export.log")


@contextlib.contextmanager
def _staged(out: Path) -> Iterator[Path]:
    """Make a folder beside the one that is wanted; what is still in it at the end goes."""
    made = [folder for folder in (out.parent, *out.parent.parents) if not folder.exists()]
    folder = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        folder.mkdir(parents=True)
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        for parent in made:
            # One that has got a log, or somebody else's file, stays.
            with contextlib.suppress(OSError):
                parent.rmdir()
        raise
    shutil.rmtree(folder, ignore_errors=True)
