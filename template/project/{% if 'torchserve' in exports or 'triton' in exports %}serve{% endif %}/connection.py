"""A connection to a server of the model, whichever server it is."""

import abc
import http
import http.client
import json
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

TIMEOUT = 60.0
"""Seconds that an answer may take."""

SHOWN = 200
"""Characters of an answer that an error shows at most."""

CONNECTIONS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}

Images = list[list[list[list[float]]]]
"""``(N, 1, 8, 8)`` grey values from 0, paper, to 1, ink."""

Read = TypeVar("Read")


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
    def ask(self, body: bytes, count: int) -> list[list[float]]:
        """Send a request about so many images, and return the logits of each.

        Raises:
            NoAnswer: there is no server, it refuses, or its answer is not what was asked for
        """

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _request(
        self,
        method: str,
        path: str,
        read: Callable[[Any], Read],
        body: bytes | None = None,
    ) -> Read:
        """Return what is read out of the answer's JSON."""
        try:
            self._connection.request(method, path, body, self._headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            raise self._no_answer(f"does not answer: {why}") from error
        text = content.decode("utf-8", "replace")
        words = " ".join(text.split())
        if answer.status != http.HTTPStatus.OK:
            raise self._no_answer(f"refuses: {answer.status}, {words}")
        try:
            return read(json.loads(text))
        except (ValueError, KeyError, TypeError) as error:
            why = f"answers what this client cannot read: {words[:SHOWN]}"
            raise self._no_answer(why) from error

    def _no_answer(self, why: str) -> NoAnswer:
        # What is left of the answer must not become the next one's.
        self._connection.close()
        return NoAnswer(f"{self._url} {why}")


def checked(logits: list[list[float]], count: int) -> list[list[float]]:
    """Return the logits of so many images; ValueError or TypeError: they are something else."""
    numbers = all(isinstance(value, int | float) for row in logits for value in row)
    if len(logits) != count or not all(logits) or not numbers:
        raise ValueError(f"no logits of {count} images")
    return logits
