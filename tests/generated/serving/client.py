"""A client of the server that reads whatever comes back, and what the tests of serving share."""

from __future__ import annotations

import contextlib
import http.client
import importlib
import json
import socket
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCAL = "127.0.0.1"
TOKEN = "a secret of the test"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
LIMIT = 120.0
"""Seconds after which a test that waits has failed."""


def request(
    port: int,
    method: str,
    path: str,
    body: str | bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any]:
    """Return the status of the answer and what its JSON says."""
    connection = http.client.HTTPConnection(LOCAL, port, timeout=LIMIT)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        assert answer.headers["Content-Type"] == "application/json"
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@contextlib.contextmanager
def dripping(port: int, head: bytes) -> Iterator[socket.socket]:
    """Send a request's head and then a byte every little while, until the caller is done."""
    done = threading.Event()

    def drip() -> None:
        with contextlib.suppress(OSError):
            while not done.wait(0.05):
                connection.sendall(b" ")

    with socket.create_connection((LOCAL, port), timeout=LIMIT) as connection:
        connection.sendall(head)
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield connection
        finally:
            done.set()
            thread.join()


def read_answer(connection: socket.socket) -> bytes:
    """Return all that the server says, though it may have closed before all was sent."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(1 << 16):
            said += piece
    return said


def save_checkpoint(task: str, folder: Path) -> Path:
    """Write a best.pt with fresh weights of a task's model."""
    state = importlib.import_module(f"{task}.checkpoints.state")
    config = importlib.import_module(f"{task}.training.config").TrainConfig()
    model = importlib.import_module(f"{task}.task.model").build_model(config.model)
    path = folder / "best.pt"
    weights = state.Weights(config=config, epoch=1, metrics={}, model=model.state_dict())
    state.save_state(weights, path)
    return path
