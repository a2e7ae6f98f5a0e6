"""An exported model behind a real server, which a generated script starts and a signal ends."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .conftest import Program

MARK = "SERVER_OF_THE_TEST"
"""A variable that every process of a server has, and no other process."""

SECONDS = 300
"""After which a test that waits has failed, on a busy machine too."""

COUNT = 100
TASKS = ("sequence", "digits")
"""Integers of any length with a mask, and images: one server has a model of each."""

# What the model itself returns for the first test samples, each alone: as in the requests, since a
# batch of another size rounds otherwise. Then the same for samples that are padded to one length.
EAGER = """
import json, sys
from pathlib import Path
from {package}.export.subject import load_subject
subject, count = load_subject(Path(sys.argv[1])), int(sys.argv[2])
def answer(numbers):
    batch = subject.splits.collate([subject.splits.test[number] for number in numbers])
    inputs = subject.inputs_of(batch)
    lists = [[(name, one.tolist()) for name, one in side.items()]
             for side in (inputs, subject.outputs(inputs))]
    return list(map(dict, lists))
answers = [answer([number]) for number in range(count)]
json.dump([*answers, answer(range(8))], sys.stdout)
"""

Answer = tuple[dict[str, Any], dict[str, Any]]
"""Inputs, and the outputs that belong to them, by name."""


def train_small(repository: Path, task: str, program: Program) -> None:
    """Train a model of a task for a moment."""
    options = ("--device=cpu", "--epochs=1", "--limit-batches=20", f"--output-dir=runs/{task}")
    program(repository, f"{task}.train", *options)


def eager_answers(repository: Path, task: str, environment: Mapping[str, str]) -> list[Answer]:
    """Return real test samples, and what the model itself returns; the last are eight of them."""
    script = EAGER.replace("{package}", task)
    command = [sys.executable, "-c", script, f"runs/{task}/best.pt", str(COUNT)]
    result = subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, check=True, timeout=300
    )
    return [(inputs, outputs) for inputs, outputs in json.loads(result.stdout)]


def greatest_difference(one: Any, other: Any) -> float:
    """Return how far two nested lists or dictionaries of numbers of one form are apart."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        return max(greatest_difference(one[name], other[name]) for name in one)
    if isinstance(one, list):
        pairs = zip(one, other, strict=True)
        return max((greatest_difference(a, b) for a, b in pairs), default=0.0)
    return abs(one - other)


def listeners(port: int) -> set[str]:
    """Return the addresses on which somebody listens on a port, as the kernel writes them."""
    found = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, _, number = local.partition(":")
            if state == "0A" and int(number, 16) == port:
                found.add(address)
    return found


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}
"""127.0.0.1, and the same as an address of IPv6."""


class Served:
    """A server that runs.

    Args:
        script: starts it
        folder: its first argument
        repository: where it is started
        environment: its variables
        scratch: an empty folder
        ready: returns whether it answers
    """

    def __init__(
        self,
        script: str,
        folder: Path,
        repository: Path,
        environment: Mapping[str, str],
        scratch: Path,
        ready: Callable[[], bool],
    ) -> None:
        self._mark = f"{MARK}={scratch}"
        self._log = scratch / "server.log"
        self._ready = ready
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [repository / script, folder],
                cwd=repository,
                env={**environment, MARK: str(scratch)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Served:
        try:
            wait_until(lambda: self._process.poll() is not None or self._ready(), self.printed)
            assert self._process.poll() is None, self.printed()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def printed(self) -> str:
        """Return what the server has printed."""
        return self._log.read_text(errors="replace")

    def stop(self, number: signal.Signals) -> int:
        """Send a signal to the script, and return its exit status once nothing of it is left."""
        self._process.send_signal(number)
        return self.end()

    def end(self) -> int:
        """Wait until the script ends, and return its exit status once nothing of it is left."""
        status = self._process.wait(SECONDS)
        wait_until(lambda: not self.left(), lambda: f"{self.left()}\n{self.printed()}", seconds=60)
        return status

    def left(self) -> dict[int, str]:
        """Return the processes of this server that are still there."""
        found = {}
        for folder in Path("/proc").iterdir():
            if not folder.name.isdecimal():
                continue
            try:
                if self._mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(folder.name)] = command
            except OSError:
                # It has ended meanwhile, or is somebody else's.
                continue
        return found

    def kill(self) -> None:
        """End all of it without asking; for what did not stop."""
        for pid in self.left():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait(SECONDS)


def wait_until(
    done: Callable[[], bool], otherwise: Callable[[], str], seconds: float = SECONDS
) -> None:
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, otherwise()
        time.sleep(0.1)


def ask(
    port: int, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """Return the status and the JSON of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        content = None if body is None else json.dumps(body)
        kind = {"Content-Type": "application/json"}
        connection.request(method, path, content, {**kind, **(headers or {})})
        answer = connection.getresponse()
        text = answer.read().strip()
    finally:
        connection.close()
    return answer.status, json.loads(text) if text else None


def figures_of(report: str) -> dict[str, float]:
    """Return what a load test printed: answered requests, errors, p50, p95, p99, difference."""
    patterns = {
        "answered": r"^answered +(\d+) ",
        "errors": r"^errors +(\d+)$",
        "p50": r"p50 ([\d.]+) ms",
        "p95": r"p95 ([\d.]+) ms",
        "p99": r"p99 ([\d.]+) ms",
        "differs": r"^differs +([\d.e+-]+) at most",
    }
    found = {name: re.search(pattern, report, re.MULTILINE) for name, pattern in patterns.items()}
    assert all(found.values()), report
    return {name: float(match.group(1)) for name, match in found.items() if match}
