"""Run a command in a terminal of its own: output to a log as well, exit code to a file.

    python scripts/run_logged.py FOLDER READY COMMAND [ARGUMENT ...]

The command draws its progress bar as in any terminal. FOLDER/train.log gets what a reader wants of
it: whole lines, without colours, and of a bar that is drawn over and over one line a minute. When
this process is hung up on, the command still has its terminal, and what it says last is logged. The
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

STOP_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
# Colours, and the commands that move a terminal's cursor.
ESCAPE_SEQUENCE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
SECONDS_BETWEEN_BARS = 60.0
# What scripts/train-tmux has after the Python when NPROC is given.
TORCHRUN = ["-m", "torch.distributed.run"]


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
        *lines, self._line = (self._line + output).split(b"\n")
        for line in lines:
            self.write(_last_drawn(line.removesuffix(b"\r")))
        self._forget_what_is_drawn_over()

    def close(self) -> None:
        """Write what had no end of line."""
        rest = _last_drawn(self._line.removesuffix(b"\r"))
        if rest.strip():
            self.write(rest)
        self._line = b""

    def write(self, line: bytes) -> None:
        """Write a line; a full disk loses it, and the training goes on."""
        try:
            self._file.write(ESCAPE_SEQUENCE.sub(b"", line) + b"\n")
        except OSError as error:
            _show(f"cannot write the log: {error.strerror}\n".encode())

    def _forget_what_is_drawn_over(self) -> None:
        over, _, drawn = self._line.rstrip(b"\r").rpartition(b"\r")
        self._line = self._line[len(over) :].lstrip(b"\r") if over else self._line
        if over and drawn.strip() and self._clock() - self._last_bar >= SECONDS_BETWEEN_BARS:
            self._last_bar = self._clock()
            self.write(drawn)


def _last_drawn(line: bytes) -> bytes:
    return line.rpartition(b"\r")[2]


class Training:
    """The command, in a terminal that lives as long as it.

    Args:
        command: the program and its arguments
        folder: the run's
    """

    def __init__(self, command: list[str], folder: Path) -> None:
        self._command = command
        self._folder = folder
        self._asked: int | None = None
        self._checkpoints_before: set[tuple[str, int]] = set()
        self._process: subprocess.Popen[bytes] | None = None
        for number in STOP_SIGNALS:
            signal.signal(number, self._forward)
        self._output, terminal = pty.openpty()
        _take_over_size(terminal)
        self._process = subprocess.Popen(
            command,
            # Nobody may be there to answer a question.
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            # Should this process be killed, the command is hung up on and writes its checkpoint.
            preexec_fn=lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0),
        )
        os.close(terminal)
        if self._asked is not None:
            self._process.send_signal(self._asked)

    def _forward(self, number: int, _: FrameType | None) -> None:
        if self._asked is None:
            self._checkpoints_before = _checkpoints(self._folder)
        self._asked = number
        if self._process is not None:
            self._process.send_signal(number)

    def follow(self, take: Callable[[bytes], None]) -> int:
        """Hand on the output until the command ends; return its exit code, 128 + n for signal n."""
        assert self._process is not None
        while True:
            # Asked first: what was printed before the end is then there to be read.
            ended = self._process.poll() is not None
            ready, _, _ = select.select([self._output], [], [], 0 if ended else 0.5)
            output = self._read() if ready else b""
            if output:
                take(output)
            elif ended:
                break
            elif ready:
                # Nothing of it holds the terminal any more.
                self._process.wait()
        code = self._process.returncode
        return self._told_apart(128 - code if code < 0 else code)

    def _told_apart(self, code: int) -> int:
        """Tell a clean stop from a failure: after both, torchrun exits with 1."""
        if code != 1 or self._asked is None or self._command[1:3] != TORCHRUN:
            return code
        stopped = _checkpoints(self._folder) - self._checkpoints_before
        return 128 + self._asked if stopped else code

    def _read(self) -> bytes:
        try:
            return os.read(self._output, 65536)
        except OSError:
            # Linux calls the end of a terminal an error.
            return b""


def _take_over_size(terminal: int) -> None:
    if os.isatty(1):
        size = fcntl.ioctl(1, termios.TIOCGWINSZ, b"\0" * 8)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)


def _show(output: bytes) -> None:
    try:
        while output:
            output = output[os.write(1, output) :]
    except OSError:
        # The session was killed; the log goes on.
        pass


def _checkpoints(folder: Path) -> set[tuple[str, int]]:
    """Return the whole checkpoints of a run, each with its time: one can replace another."""
    checkpoints = set()
    for path in folder.glob("checkpoints/step-*[0-9]"):
        # An old one is removed while the training goes on.
        with contextlib.suppress(FileNotFoundError):
            checkpoints.add((path.name, path.stat().st_mtime_ns))
    return checkpoints


def main(folder: Path, ready: Path, command: list[str]) -> int:
    """Run the command; return its exit code."""
    with (folder / "train.log").open("ab", buffering=0) as file:
        log = Log(file)

        def note(text: str) -> None:
            now = datetime.now().astimezone().isoformat(" ", "seconds")
            log.write(f"== {now} {text}".encode(errors="surrogateescape"))

        def take(output: bytes) -> None:
            _show(output)
            log.feed(output)

        note(shlex.join(command))
        training = Training(command, folder)
        ready.unlink(missing_ok=True)
        code = training.follow(take)
        log.close()
        note(f"exit code {code}")
    unfinished = folder / ".exit-code"
    unfinished.write_text(f"{code}\n", encoding="ascii")
    unfinished.replace(folder / "exit-code")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
