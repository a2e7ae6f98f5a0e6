"""A server in a container, started by its image's own command, and requests to it."""

from __future__ import annotations

import http.client
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from .image_builder import stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from .image_builder import Builder


def within(seconds: float, done: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, otherwise()
        time.sleep(0.1)


def answers(port: int) -> bool:
    """Tell whether somebody listens on a port of this machine, which the containers share."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def request(
    port: int, method: str, path: str, body: str = "", token: str = "", scheme: str = "Bearer"
) -> tuple[int, str]:
    """Return the status and the text that a server of a container answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"{scheme} {token}"} if token else {}
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Server:
    """The command of an image, running, with its health check.

    Args:
        builder: what runs it
        tag: the image
        options: of buildah's run: variables, volumes
    """

    def __init__(self, builder: Builder, tag: str, *options: str) -> None:
        self.configuration = builder.configuration(tag)
        (exposed,) = self.configuration["ExposedPorts"]
        self.port = int(exposed.partition("/")[0])
        if answers(self.port):
            pytest.skip(f"port {self.port} of this machine is taken")
        self._builder = builder
        self._container = builder.container(tag)
        command = self.configuration["Cmd"]
        self._process = builder.start(self._container, *command, options=options)

    def __enter__(self) -> Server:
        """Wait until the image's own health check is content."""
        check = self.configuration["Healthcheck"]["Test"]
        assert check[0] == "CMD"

        def healthy() -> bool:
            assert self._process.poll() is None, self._builder.log()
            command = self._builder.run_command(self._container, *check[1:])
            return subprocess.run(command, capture_output=True, check=False).returncode == 0

        try:
            within(300, healthy, self._builder.log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and see that nothing is left."""
        stop(self._process)
        within(60, lambda: not answers(self.port), self._builder.log)
        within(60, lambda: not self._builder.left_running(), self._builder.log)
