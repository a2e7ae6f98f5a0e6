"""Run a command in a terminal of its own: output to a log as well, exit code to a file.

The command draws its progress bar as in any terminal. FOLDER/train.log gets whole lines without
colours, and of a bar what it showed last; FOLDER/exit-code gets the exit code. SIGHUP, SIGINT and
SIGTERM are passed on to the command. `scripts/train_tmux.py` runs in its sessions
`run_logged.py FOLDER COMMAND [ARGUMENT ...]`.
"""

import contextlib
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import BinaryIO

# Colours, and the commands that move a terminal's cursor.
ESCAPE_SEQUENCE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")


class Log:
    """A terminal's output as lines of text, written to a file without a buffer."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._line = b""

    def feed(self, output: bytes) -> None:
        """Take up what has been printed."""
        *lines, line = (self._line + output).split(b"\n")
        for each in lines:
            self._write(each)
        # What a bar has drawn over is forgotten.
        self._line = line[max(line.rstrip(b"\r").rfind(b"\r"), 0) :]

    def note(self, text: str) -> None:
        """Write a line of this program's own, after what had no end of line."""
        if self._line.strip():
            self.feed(b"\n")
        now = datetime.now().astimezone().isoformat(" ", "seconds")
        self._write(f"== {now} {text}".encode(errors="surrogateescape"))

    def _write(self, line: bytes) -> None:
        """Write what a line showed last; a full disk loses it, and the training continues."""
        shown = line.rstrip(b"\r").rpartition(b"\r")[2]
        with contextlib.suppress(OSError):
            self._file.write(ESCAPE_SEQUENCE.sub(b"", shown) + b"\n")


def run(command: list[str], folder: Path, log: Log) -> int:
    """Run the command to its end; return its exit code, 128 + n for signal n."""
    outer, inner = pty.openpty()
    if os.isatty(1):
        termios.tcsetwinsize(inner, termios.tcgetwinsize(1))
    # Nobody may be there to answer a question. Ctrl-C reaches it through this process alone.
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=inner, stderr=inner, start_new_session=True
    )
    os.close(inner)
    asked: dict[int, set[tuple[str, int]]] = {}

    def forward(number: int, _: FrameType | None) -> None:
        asked.setdefault(number, checkpoints(folder))
        process.send_signal(number)

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, forward)
    # What starts the session waits for this: from now on, the training can be asked to stop.
    subprocess.run(["tmux", "wait-for", "-S", "started"], check=False)
    for output in printed(process, outer):
        log.feed(output)
        # Where the session was killed, the log continues.
        with contextlib.suppress(OSError):
            os.write(1, output)
    code = process.returncode
    # torchrun exits with 1 however its workers ended: a new checkpoint tells a stop from a failure.
    for signalled, before in asked.items():
        if code == 1 and checkpoints(folder) - before:
            return 128 + signalled
    return 128 - code if code < 0 else code


def printed(process: subprocess.Popen[bytes], terminal: int) -> Iterator[bytes]:
    """Yield what is printed, until the process has ended and nothing is left to read."""
    while True:
        # Asked first: what was printed before the end is then there to be read.
        ended = process.poll() is not None
        if select.select([terminal], [], [], 0 if ended else 0.5)[0]:
            output = b""
            # Linux calls the end of a terminal an error.
            with contextlib.suppress(OSError):
                output = os.read(terminal, 65536)
            if not output:
                process.wait()
                return
            yield output
        elif ended:
            return


def checkpoints(folder: Path) -> set[tuple[str, int]]:
    """Return the whole checkpoints of a run, each with its time: one can replace another."""
    found = set()
    for path in folder.glob("checkpoints/step-*.pt"):
        # An old one is removed while the training continues.
        with contextlib.suppress(FileNotFoundError):
            found.add((path.name, path.stat().st_mtime_ns))
    return found


def main(folder: Path, command: list[str]) -> int:
    """Run the command; return its exit code."""
    code_file = folder / "exit-code"
    code_file.unlink(missing_ok=True)
    with (folder / "train.log").open("ab", buffering=0) as file:
        log = Log(file)
        log.note(shlex.join(command))
        code = run(command, folder, log)
        log.note(f"exit code {code}")
    code_file.write_text(f"{code}\n", encoding="ascii")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
