"""From a checkpoint to an artefact that is proved, or to nothing."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..console import say
from ..errors import InputError, Told, behind, tell
from ..signals import stop_behind
from .comparison import NotLoadedBack, compare
from .diagnosis.exportable import refuse_broken_contracts
from .diagnosis.reasons import explain
from .metadata import describe
from .report import NAME, Report, size_of
from .subject import Subject, load_subject
from .target import Target


def export(target: Target, name: str) -> Report:
    """Write what the target stands for, load it back in a fresh process, compare, and deliver.

    Args:
        target: the options that were given
        name: the target's on the command line

    Raises:
        InputError: something in the user's hands is wrong, the model's code for one
        Told: what was written is not what the model is; nothing of it is left
    """
    target.check()
    subject = _loaded(target)
    refuse_broken_contracts(subject.model, subject.example())
    metadata = describe(subject)
    with _staged(target.out) as folder:
        say(f"writing {name} …")
        try:
            written = target.write(subject, folder, metadata)
        except (InputError, OSError) as _:
            raise
        except Exception as error:
            if stop_behind(error):
                raise
            if full := _full_disk(error):
                raise full from error
            raise explain(error, subject.model, _log(target.out), subject.example()) from error
        say("loading it back in a fresh process …")
        try:
            comparison = compare(subject, type(target).__module__, folder)
        except NotLoadedBack as error:
            _log(target.out).write_text(str(error), encoding="utf-8")
            tell(f"what was written cannot be run; {_log(target.out)} says why.")
            raise Told(1) from error
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
            tell(f"nothing is exported: {reason}.")
            raise Told(1)
        (folder / NAME).write_text(report.to_json(), encoding="utf-8")
        target.deliver(folder)
    # Of an earlier export that failed.
    _log(target.out).unlink(missing_ok=True)
    say(f"exported to {target.out}")
    return report


def _loaded(target: Target) -> Subject:
    try:
        return load_subject(target.checkpoint)
    except (InputError, OSError) as _:
        raise
    except Exception as error:
        # A module names a device that is not there, say: the model cannot even be built.
        raise explain(error, None, _log(target.out)) from error


def _full_disk(error: BaseException) -> OSError | None:
    """Return the error of a full disk that another error came of: AOTInductor wraps it."""
    for cause in behind(error):
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return cause
    return None


def _log(out: Path) -> Path:
    # A name that nobody gives to a file of his own.
    return out.with_name(f"{out.name}.export.log")


@contextlib.contextmanager
def _staged(out: Path) -> Iterator[Path]:
    """Make a folder beside the one that is wanted; what is still in it at the end goes."""
    made = _missing([out.parent, *out.parent.parents])
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


def _missing(folders: list[Path]) -> list[Path]:
    return [folder for folder in folders if not folder.exists()]
