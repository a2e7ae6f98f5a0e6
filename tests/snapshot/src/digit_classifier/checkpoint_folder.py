"""The checkpoints of a run: a folder each, of which the newest whole one is taken up again."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from .checkpoint import Checkpoint, load_state
from .errors import InputError
from .files import lock_file, sync_file, sync_folder, write_atomically

STATE = "state.pt"
CHECKSUMS = "checksums.json"
KEPT = 2
# Names of what is on its way in, and of what is on its way out.
PARTIAL, REMOVED = ".partial", ".removed"
# How reading a damaged list of checksums, or a file in it, can fail.
DAMAGE = (OSError, ValueError, AttributeError, TypeError)


class CheckpointFolder:
    """Keep the newest checkpoints of a run under ``checkpoints/step-00000120`` and the like.

    A checkpoint is made beside its place and renamed into it with all its checksums, so that one
    that is there is whole, and damage that comes later is noticed. The one before is kept for that.

    Args:
        run: the run's folder
    """

    def __init__(self, run: Path) -> None:
        self.path = run / "checkpoints"
        self._lock: TextIO | None = None

    def steps(self) -> list[int]:
        """Return the steps of the checkpoints that are there, oldest first."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            names = [path.name for path in self.path.iterdir()]
            matches = (re.fullmatch(r"step-(\d{8,})", name) for name in names)
            return sorted(int(match[1]) for match in matches if match)
        return []

    def place(self, step: int) -> Path:
        """Return where the checkpoint of a step is."""
        return self.path / f"step-{step:08}"

    def newest(self, warn: Callable[[str], object]) -> Path:
        """Return the newest checkpoint that is whole; tell of each newer one that is not."""
        reasons = []
        for step in reversed(self.steps()):
            folder = self.place(step)
            try:
                _verify(folder)
                load_state(Checkpoint, folder / STATE)
            except InputError as error:
                reasons.append(error)
                continue
            for reason in reasons:
                warn(f"warning: {str(reason).removesuffix('.')}: going on from {folder}.")
            return folder
        if reasons:
            damage = str(reasons[0]).removesuffix(".")
            raise InputError(f"{damage}, and no older checkpoint is whole: begin a new run.")
        raise InputError(f"{self.path.parent} holds no run that could be gone on with.")

    def lock(self) -> None:
        """Keep other runs out of this folder until it is unlocked or this process ends.

        After a ``kill -9`` of torchrun, for example, its workers go on, and write.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = (self.path / ".lock").open("a+", encoding="utf-8")
        try:
            lock_file(self._lock)
        except BlockingIOError as error:
            self._lock.seek(0)
            holder = self._lock.read() or "Another process"
            self.unlock()
            raise InputError(
                f"{holder} trains in {self.path.parent}: wait for it, or stop it."
            ) from error
        self._lock.truncate(0)
        self._lock.write(f"Process {os.getpid()} on {socket.gethostname()}")
        self._lock.flush()

    def unlock(self) -> None:
        """Let other runs in again."""
        if self._lock:
            self._lock.close()

    def begin(self, step: int) -> Path:
        """Make an empty folder for the files of a checkpoint; it counts once it is finished."""
        partial = self.place(step).with_suffix(PARTIAL)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        return partial

    def finish(self, partial: Path) -> None:
        """Seal a folder whose files are all there, put it in its place, and drop old ones."""
        files = [path for path in sorted(partial.rglob("*")) if path.is_file()]
        checksums = {path.relative_to(partial).as_posix(): _checksum(path) for path in files}
        for file in files:
            sync_file(file)
        for folder in {file.parent for file in files}:
            sync_folder(folder)
        text = json.dumps(checksums, indent=1)
        write_atomically(partial / CHECKSUMS, lambda file: file.write(text.encode()))
        place = partial.with_suffix("")
        # There is one of this step where a run was stopped at an epoch's last step, or where a
        # damaged one was passed over.
        replaced = _set_aside(place) if place.exists() else None
        partial.rename(place)
        sync_folder(self.path)
        if replaced:
            shutil.rmtree(replaced)
        for step in self.steps()[:-KEPT]:
            shutil.rmtree(_set_aside(self.place(step)))

    def tidy(self, newest: int) -> None:
        """Clear away what killed writers left, and what is newer than where the run goes on."""
        if not self.path.exists():
            return
        for leftover in (*self.path.glob(f"*{PARTIAL}"), *self.path.glob(f"*{REMOVED}")):
            shutil.rmtree(leftover)
        for step in self.steps():
            # Left in its place, it would count as one of the newest and drive out a whole one.
            if step > newest:
                shutil.rmtree(_set_aside(self.place(step)))


def _set_aside(place: Path) -> Path:
    """Rename a checkpoint: a name of this form never stands for half of one."""
    aside = place.with_suffix(REMOVED)
    shutil.rmtree(aside, ignore_errors=True)
    return place.rename(aside)


def _verify(folder: Path) -> None:
    """Compare every file with the checksum that it was written with."""
    path = folder / CHECKSUMS
    try:
        checksums = json.loads(path.read_bytes())
        sound = STATE in checksums and all(
            _checksum(folder / name) == checksum for name, checksum in checksums.items()
        )
    except DAMAGE:
        sound = False
    if not sound:
        raise InputError(f"{folder} is damaged.")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
