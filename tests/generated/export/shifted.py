"""A target of the tests alone: the model's outputs, off by a chosen amount."""

from __future__ import annotations

import dataclasses
import errno
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from digits.export.target import Limits, Target, Written

if TYPE_CHECKING:
    from collections.abc import Callable

    from digits.export.subject import Subject
    from digits.interface import Inputs

FILE = "weights.pt"
EQUAL = Limits(difference=1e-4)
BROKEN = 1000.0
"""A shift with which the artefact does not even load."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shifted(Target):
    """Keep the checkpoint's name, and the shift."""

    shift: float = 0.0
    limits: Limits = EQUAL
    tolerance: float = 0.0

    def write(self, subject: Subject, folder: Path, metadata: dict[str, Any]) -> Written:
        """Write one file, and one more in a folder."""
        torch.save({"checkpoint": str(subject.path), "shift": self.shift}, folder / FILE)
        (folder / "notes").mkdir()
        return Written(files=(FILE,), limits=self.limits, facts={"shift": self.shift})


class Interrupted(Target):
    """A signal comes as it writes, and the library raises another error."""

    def write(self, subject: Subject, folder: Path, metadata: dict[str, Any]) -> Written:
        """Fail as torch does, whose archive stays unfinished."""
        (folder / FILE).write_bytes(b"half")
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            raise RuntimeError("unexpected pos 46 vs 0")


class OnFullDisk(Target):
    """The disk is full, and the library hides it."""

    def write(self, subject: Subject, folder: Path, metadata: dict[str, Any]) -> Written:
        """Fail as AOTInductor's compiler does."""
        try:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder))
        except OSError:
            raise RuntimeError("the compiler failed") from None


def load(folder: Path) -> Callable[[Inputs], Any]:
    """Return what the fresh process runs."""
    kept = torch.load(folder / FILE, weights_only=True)
    if kept["shift"] == BROKEN:
        raise RuntimeError("this one does not load")
    from digits.checkpoints.state import load_trained

    model = load_trained(Path(kept["checkpoint"])).model
    return lambda inputs: model(**inputs) + kept["shift"]
