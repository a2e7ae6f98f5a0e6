"""Ports for servers of the tests."""

from __future__ import annotations

import contextlib
import os
import random
import socket

# Below those that the system gives to whoever asks for any: one of these would be gone again by the
# time that a slow server takes it.
FIRST, LAST = 20000, 32767


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, and that no other process of the tests is given."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ours = range(FIRST + worker, LAST + 1, workers)
    ports: list[int] = []
    with contextlib.ExitStack() as probes:
        while len(ports) < count:
            port = random.SystemRandom().choice(ours)
            with contextlib.suppress(OSError):
                probes.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
    return ports
