"""A connection to a server of the model, whichever server it is."""

import abc
import http
import http.client
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

TIMEOUT = 60.0
"""Seconds that an answer may take."""

CONNECTIONS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}

Images = list[list[list[list[float]]]]
"""``(N, 1, 8, 8)`` grey values from 0, paper, to 1, ink."""


class NoAnswer(Exception):
    """A request got no answer that can be used; the text says why, in the server's words if any."""


class Client(abc.ABC):
    """Ask one server, over a connection that stays open; a thread has a client of its own.

    Args:
        url: where the server listens, like http://127.0.0.1:8080
        model: the name under which it has the model
        headers: what each request brings, the key above all
    """

    def __init__(self, url: str, model: str, headers: Mapping[str, str]) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in CONNECTIONS or not parts.hostname:
            raise ValueError(f"{url} is no address like http://127.0.0.1:8080")
        self._connection = CONNECTIONS[parts.scheme](parts.hostname, parts.port, timeout=TIMEOUT)
        self._headers = {"Content-Type": "application/json", **headers}
        self._url = url
        self.model = model

    @abc.abstractmethod
    def body_of(self, images: Images) -> bytes:
        """Return the request for these images, ready to be sent many times."""

    @abc.abstractmethod
    def ask(self, body: bytes) -> list[list[float]]:
        """Send a request, and return the logits of each of its images.

        Raises:
            NoAnswer: there is no server, or it refuses
        """

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _request(self, method: str, path: str, body: bytes | None = None) -> Any:
        try:
            self._connection.request(method, path, body, self._headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            # What is left of the answer must not become the next one's.
            self._connection.close()
            why = str(error) or type(error).__name__
            raise NoAnswer(f"{self._url} does not answer: {why}") from error
        text = content.decode("utf-8", "replace")
        if answer.status != http.HTTPStatus.OK:
            raise NoAnswer(f"{self._url} refuses: {answer.status}, {' '.join(text.split())}")
        return json.loads(text)
