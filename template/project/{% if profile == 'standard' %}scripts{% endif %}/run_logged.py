"""Run a command in a terminal of its own: output to a log as well, exit code to a file.

    python scripts/run_logged.py FOLDER READY COMMAND [ARGUMENT ...]

The command draws its progress bar as in any terminal. FOLDER/train.log gets what a reader wants of
it: whole lines, without colours, and of a bar that is drawn over and over one line a minute. When
this process is hung up on, the command still has its terminal, and its last words are logged. The
file READY is removed as soon as SIGHUP, SIGINT and SIGTERM are passed on to the command.
`scripts/train-tmux` runs this in its sessions.
"""

import contextlib
import fcntl
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import BinaryIO

# Colours, and the commands that move a terminal's cursor.
ESCAPE_SEQUENCE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
SECONDS_BETWEEN_BARS = 60.0


class Log:
    """A terminal's output as lines of text.

    Args:
        file: where the lines go; unbuffered, so that they can be read at once
        clock: seconds from any start
    """

    def __init__(self, file: BinaryIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._line = b""
        self._last_bar = clock()

    def feed(self, output: bytes) -> None:
        """Take up what has been printed."""
        *lines, line = (self._line + output).split(b"\n")
        for each in lines:
            self.write(each.removesuffix(b"\r").rpartition(b"\r")[2])
        # What a bar has drawn over is forgotten.
        over, _, drawn = line.rstrip(b"\r").rpartition(b"\r")
        self._line = line[len(over) :].lstrip(b"\r") if over else line
        if over and drawn.strip() and self._clock() - self._last_bar >= SECONDS_BETWEEN_BARS:
            self._last_bar = self._clock()
            self.write(drawn)

    def close(self) -> None:
        """Write what had no end of line."""
        rest = self._line.removesuffix(b"\r").rpartition(b"\r")[2]
        if rest.strip():
            self.write(rest)

    def write(self, line: bytes) -> None:
        """Write a line; a full disk loses it, and the training continues."""
        try:
            self._file.write(ESCAPE_SEQUENCE.sub(b"", line) + b"\n")
        except OSError as error:
            show(f"cannot write the log: {error.strerror}\n".encode())

    def note(self, text: str) -> None:
        """Write a line of this program's own."""
        now = datetime.now().astimezone().isoformat(" ", "seconds")
        self.write(f"== {now} {text}".encode(errors="surrogateescape"))


def show(output: bytes) -> None:
    """Print to this terminal; where the session was killed, the log continues."""
    with contextlib.suppress(OSError):
        while output:
            output = output[os.write(1, output) :]


def run(command: list[str], folder: Path, ready: Path, log: Log) -> int:
    """Run the command to its end; return its exit code, 128 + n for signal n."""
    process: subprocess.Popen[bytes] | None = None
    stop: tuple[int, set[tuple[str, int]]] | None = None

    def forward(number: int, _: FrameType | None) -> None:
        nonlocal stop
        stop = stop or (number, checkpoints(folder))
        if process is not None:
            process.send_signal(number)

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, forward)
    outer, inner = pty.openpty()
    if os.isatty(1):
        fcntl.ioctl(inner, termios.TIOCSWINSZ, fcntl.ioctl(1, termios.TIOCGWINSZ, b"\0" * 8))
    process = subprocess.Popen(
        command,
        # Nobody may be there to answer a question.
        stdin=subprocess.DEVNULL,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
        # Should this process be killed, the command is hung up on and writes its checkpoint.
        preexec_fn=lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0),
    )
    os.close(inner)
    if stop:
        process.send_signal(stop[0])
    ready.unlink(missing_ok=True)
    while True:
        # Asked first: what was printed before the end is then there to be read.
        ended = process.poll() is not None
        output = b""
        if readable := select.select([outer], [], [], 0 if ended else 0.5)[0]:
            # Linux calls the end of a terminal an error.
            with contextlib.suppress(OSError):
                output = os.read(outer, 65536)
        show(output)
        log.feed(output)
        if not output and ended:
            break
        if not output and readable:
            # Nothing of it holds the terminal any more.
            process.wait()
    code = process.returncode
    # After a clean stop and after a failure, torchrun exits with 1; a checkpoint since says which.
    is_torchrun = command[1:3] == ["-m", "torch.distributed.run"]
    if code == 1 and is_torchrun and stop and checkpoints(folder) - stop[1]:
        return 128 + stop[0]
    return 128 - code if code < 0 else code


def checkpoints(folder: Path) -> set[tuple[str, int]]:
    """Return the whole checkpoints of a run, each with its time: one can replace another."""
    found = set()
    for path in folder.glob("checkpoints/step-*.pt"):
        # An old one is removed while the training continues.
        with contextlib.suppress(FileNotFoundError):
            found.add((path.name, path.stat().st_mtime_ns))
    return found


def main(folder: Path, ready: Path, command: list[str]) -> int:
    """Run the command; return its exit code."""
    code_file = folder / ".exit-code"
    with (folder / "train.log").open("ab", buffering=0) as file:
        log = Log(file)
        # The room for the exit code is taken now, since the training may fill the disk.
        with contextlib.suppress(OSError):
            code_file.write_bytes(b"\0" * 4)
        log.note(shlex.join(command))
        code = run(command, folder, ready, log)
        log.close()
        log.note(f"exit code {code}")
    with open(os.open(code_file, os.O_CREAT | os.O_WRONLY), "wb") as file:
        file.write(b"%d\n" % code)
        file.truncate()
    code_file.replace(folder / "exit-code")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
