"""What `scripts/run_logged.py` writes to the log of what a terminal shows."""

import io
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "run_logged.py"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")


class Clock:
    """A clock that stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def logged(*outputs: bytes, clock: Clock | None = None) -> bytes:
    """Return what the log has after these outputs, one at a time."""
    file = io.BytesIO()
    log: Any = runpy.run_path(str(SCRIPT))["Log"](file, clock or Clock())
    for output in outputs:
        log.feed(output)
    log.close()
    return file.getvalue()


def test_lines_stay_as_they_are() -> None:
    assert logged(b"one\n", b"\n", b"three\r\n") == b"one\n\nthree\n"


def test_an_end_without_a_line_end_is_kept() -> None:
    assert logged(b"half") == b"half\n"
    assert logged() == b""


def test_a_bar_leaves_what_it_showed_last() -> None:
    assert logged(b"\r 1%", b"\r 2%\r", b" 3%", b"\r100%\n", b"done\n") == b"100%\ndone\n"


def test_a_line_written_above_a_bar_stands_alone() -> None:
    assert logged(b"\rbar 7\r     \repoch 1\n\rbar 8", b"\r     \r") == b"epoch 1\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_where_the_output_is_cut_does_not_matter(size: int) -> None:
    output = b"one\r\n\rbar 1\rbar 2\r      \rtwo\r\n\rbar 3\rbar 4\n\x1b[31mred\x1b[0m\n"
    pieces = [output[start : start + size] for start in range(0, len(output), size)]

    assert logged(*pieces) == logged(output) == b"one\ntwo\nbar 4\nred\n"


def test_a_bar_is_written_once_a_minute() -> None:
    clock, file = Clock(), io.BytesIO()
    log: Any = runpy.run_path(str(SCRIPT))["Log"](file, clock)

    for second in range(200):
        clock.now = float(second)
        log.feed(b"\rstep %d" % second)

    assert file.getvalue() == b"step 60\nstep 120\nstep 180\n"


def test_what_a_bar_has_drawn_over_takes_no_memory() -> None:
    log: Any = runpy.run_path(str(SCRIPT))["Log"](io.BytesIO(), Clock())

    for _ in range(1000):
        log.feed(b"\r" + b"#" * 80)

    assert len(log._line) < 200
