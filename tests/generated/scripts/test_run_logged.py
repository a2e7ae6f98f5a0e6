"""What `scripts/run_logged.py` logs of what a terminal shows, and how it says that a run ended."""

import io
import os
import runpy
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = next(Path(__file__).parents[3].glob("template/project/*scripts*/run_logged.py"))
pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")


def logged(*outputs: bytes) -> bytes:
    """Return what the log has after these outputs, one at a time."""
    file = io.BytesIO()
    log: Any = runpy.run_path(str(SCRIPT))["Log"](file)
    for output in outputs:
        log.feed(output)
    log.note("exit code 0")
    *lines, last = file.getvalue().splitlines(keepends=True)
    assert last.endswith(b" exit code 0\n")
    return b"".join(lines)


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


def test_what_a_bar_has_drawn_over_takes_no_memory() -> None:
    log: Any = runpy.run_path(str(SCRIPT))["Log"](io.BytesIO())

    for _ in range(1000):
        log.feed(b"\r" + b"#" * 80)

    assert len(log._line) < 200


# In the place of torch.distributed.run, which exits with 1 however its workers ended.
LAUNCHER = """
import os, signal, sys, time
from pathlib import Path

checkpoints = Path(sys.argv[1]) / "checkpoints"

def stop(number, _):
    for name in sys.argv[2:]:
        (checkpoints / ".new").touch()
        (checkpoints / ".new").rename(checkpoints / name)
    os._exit(1)

signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("written", "code"),
    [
        (["step-00000002.pt"], 128 + signal.SIGTERM),
        # A run that is stopped at an epoch's last step writes that step's checkpoint again.
        (["step-00000001.pt"], 128 + signal.SIGTERM),
        ([], 1),
        # The disk was full.
        (["step-00000002.pt.partial"], 1),
    ],
)
def test_only_a_checkpoint_made_since_tells_a_stop_from_a_failure(
    tmp_path: Path,
    written: list[str],
    code: int,
) -> None:
    module = tmp_path / "launcher.py"
    module.write_text(LAUNCHER)
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "checkpoints" / "step-00000001.pt").touch()
    os.utime(run / "checkpoints" / "step-00000001.pt", (1, 1))
    command = [sys.executable, str(module), str(run), *written]

    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(run), *command],
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()

    assert process.returncode == code
    assert (run / "exit-code").read_text() == f"{code}\n"
