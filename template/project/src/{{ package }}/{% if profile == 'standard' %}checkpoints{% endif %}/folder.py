"""The checkpoints of a run: a file each, of which a run is resumed from the latest whole one."""

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from ..command import InputError
from .files import lock_file
from .state import Checkpoint, load_state, save_state

KEPT = 2
"""Checkpoints that stay: the one before the latest is for when that is corrupt."""


class CheckpointFolder:
    """Keep the latest checkpoints of a run as ``checkpoints/step-00000120.pt`` and the like.

    Each is written under another name and renamed, so that one that is there is whole; corruption
    that comes later is noticed when it is read, by the checksums in it.

    Args:
        run: the run's folder
    """

    def __init__(self, run: Path) -> None:
        self.path = run / "checkpoints"
        self._lock: TextIO | None = None

    def steps(self) -> list[int]:
        """Return the steps of the checkpoints that are there, oldest first."""
        paths = self.path.glob("step-*.pt")
        matches = (re.fullmatch(r"step-(\d{8,})\.pt", path.name) for path in paths)
        return sorted(int(match[1]) for match in matches if match)

    def path_for(self, step: int) -> Path:
        """Return the file of the checkpoint of a step."""
        return self.path / f"step-{step:08}.pt"

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, then drop the oldest beyond those that stay."""
        save_state(checkpoint, self.path_for(checkpoint.step))
        for step in self.steps()[:-KEPT]:
            self.path_for(step).unlink()

    def latest(self, warn: Callable[[str], object]) -> Path:
        """Return the latest checkpoint that is whole; warn of each later one that is not."""
        reasons = []
        for step in reversed(self.steps()):
            path = self.path_for(step)
            try:
                load_state(Checkpoint, path)
            except InputError as error:
                reasons.append(str(error).removesuffix("."))
                continue
            for reason in reasons:
                warn(f"warning: {reason}: resuming from {path}.")
            return path
        if reasons:
            raise InputError(f"{reasons[0]}, and no older checkpoint is whole: start a new run.")
        if self.path.is_dir() and any(self.path.glob("step-*/")):
            raise InputError(
                f"{self.path} holds checkpoints of version 0.3 of the template or before, which "
                f"cannot be resumed: start a new run with --init-from {self.path.parent}/best.pt."
            )
        raise InputError(f"{self.path.parent} holds no run that could be resumed.")

    def prune(self, latest: int) -> None:
        """Remove what killed writers left, and what is newer than the step a run resumes from."""
        for leftover in self.path.glob("*.partial"):
            leftover.unlink()
        for step in self.steps():
            # If it stayed, it would count as one of the latest and drive out a whole one.
            if step > latest:
                self.path_for(step).unlink()

    def lock(self) -> None:
        """Keep other runs out of this folder until it is unlocked or this process ends.

        After a ``kill -9`` of torchrun, for example, its workers continue, and write.
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
                f"{holder} is training in {self.path.parent}: wait for it, or stop it."
            ) from error
        self._lock.truncate(0)
        self._lock.write(f"Process {os.getpid()} on {socket.gethostname()}")
        self._lock.flush()

    def unlock(self) -> None:
        """Let other runs in again."""
        if self._lock:
            self._lock.close()
