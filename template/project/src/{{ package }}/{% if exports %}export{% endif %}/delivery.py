"""From a checkpoint to an artefact that is proved, or to nothing."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..command import InputError, Reported, iter_causes, report_error, say, stop_status
from .comparison import NotLoadedBack, compare
from .diagnosis import explain, refuse_broken_contracts
from .report import Report, describe, size_of
from .subject import Subject, load_subject
from .target import REPORT, Target


def export(target: Target, name: str) -> Report:
    """Write the artefact, load it back in a fresh process, compare, and deliver.

    Args:
        target: the options that were given, and checked
        name: the target's on the command line

    Raises:
        InputError: something that the user can change is wrong, the model's code for one
        Reported: what was written is not what the model is; nothing of it is left
    """
    # The model may not even be built here: a module names a device that is not there, for example.
    with _explained(target):
        subject = load_subject(target.checkpoint)
    refuse_broken_contracts(subject.model, subject.example())
    metadata = describe(subject)
    with _staged(target.out) as folder:
        say(f"writing {name} …")
        with _explained(target, subject):
            written = target.write(subject, folder, metadata)
        say("loading it back in a fresh process …")
        try:
            comparison = compare(subject, type(target).__module__, folder)
        except NotLoadedBack as error:
            _log(target.out).write_text(str(error), encoding="utf-8")
            report_error(f"the artefact cannot be run; {_log(target.out)} says why.")
            raise Reported(1) from error
        size = size_of([folder / file for file in written.files])
        report = Report(name, metadata, written, comparison, subject.bytes, size)
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


@contextlib.contextmanager
def _explained(target: Target, subject: Subject | None = None) -> Iterator[None]:
    """Turn what an exporter or the model raises into an error that says why and where."""
    try:
        yield
    except (InputError, OSError) as _:
        raise
    except Exception as error:
        if stop_status(error):
            raise
        for cause in iter_causes(error):
            # AOTInductor wraps the error of a full disk.
            if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
                raise cause from error
        model, example = (subject.model, subject.example()) if subject else (None, None)
        raise explain(error, model, _log(target.out), example) from error


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
