"""A disk that fills up ends a run in one sentence, and the run resumes once there is room."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from .running import Result, small, train
from .test_resume import stop_in_step

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Whole

KIB = 1024


def fill(disk: Path, free: int) -> Path:
    """Leave no more than so many bytes of room."""
    filler = disk / "filler"
    stat = os.statvfs(disk)
    size = stat.f_bavail * stat.f_frsize - free
    filler.write_bytes(b"\0" * size)
    return filler


def test_a_full_disk_leaves_the_old_state(
    small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    whole: Whole,
) -> None:
    folder = small_disk / "run"
    settings = ["--workers=0", "--checkpoint-every=2"]
    expected = whole("fourth", *settings)
    arguments = small("fourth", *settings)
    stop_in_step(monkeypatch, "fourth", 5, *arguments, "--output-dir", folder)

    statuses = []
    # Too little for the figures, for a checkpoint, for the one after it, for a picture.
    for free in (0, 8, 24, 40, 64):
        filler = fill(small_disk, free * KIB)
        capsys.readouterr()
        statuses.append(train("fourth", "--resume", folder))
        errors = capsys.readouterr().err
        if statuses[-1]:
            assert errors.startswith(f"error: No space left on device: {folder}/")
            assert errors.count("\n") == 1
        filler.unlink()

    assert statuses[:3] == [1, 1, 1]
    assert train("fourth", "--resume", folder) == 0
    expected.expect(Result.of(folder, "fourth"))
