"""The server: what it takes from the network, how much of it, and for how long.

It knows nothing of models: what answers is a function from the request's inputs to predictions.
"""

import contextlib
import hmac
import io
import ipaddress
import json
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn

from ..command import InputError
from .connection import TimedReader, resolve

TOKEN_VARIABLE = "SERVE_TOKEN"
MAX_BYTES = 4 << 20
"""Size of the largest request that is read."""

MAX_REQUESTS = 64
"""Requests in progress at a time; one more is asked to try again."""
REQUEST_SECONDS = 10.0
"""How long a request may take to arrive, and its answer to leave."""
UNREAD_SECONDS = 2.0
"""How long what follows a refused request is read, and dropped."""
GRACE_SECONDS = 3.0
"""How long the end of the server waits for requests in progress."""

ROUTES = {"/health": "GET", "/predict": "POST"}

Predict = Callable[[object], list[object]]


class PredictionServer(ThreadingHTTPServer):
    """A server of predictions; each request has a thread.

    ``server_close`` waits a short while for the requests in progress.

    Args:
        address: host and port; port 0 takes a free one: see ``server_port``
        predict: returns a prediction for each of the inputs, from any thread; InputError refuses
        token: what a request for predictions must bring, if anything
    """

    # The library waits for other threads without a limit.
    daemon_threads = True
    # Connections wait here until they are accepted. Of a burst, the library's 5 would lose some.
    request_queue_size = 2 * MAX_REQUESTS

    def __init__(self, address: tuple[str, int], predict: Predict, token: str = "") -> None:
        host, port = address
        self.address_family, place = resolve(host, port)
        if not token and not ipaddress.ip_address(place[0]).is_loopback:
            raise InputError(
                f"To listen on {host}, which other machines can reach, set {TOKEN_VARIABLE} "
                "to a secret that every request must bring."
            )
        self.predict = predict
        self.token = token
        self._in_progress: set[socket.socket] = set()
        self._changed = threading.Condition()
        try:
            super().__init__(place, PredictionHandler)
        except OSError as error:
            text = f"Cannot listen on {host}, port {port}: {error.strerror}"
            raise OSError(error.errno, text) from error

    @property
    def requests_in_progress(self) -> int:
        """How many connections have a thread now."""
        return len(self._in_progress)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, or refuse at once where there are too many."""
        with self._changed:
            free = self.requests_in_progress < MAX_REQUESTS
            if free:
                self._in_progress.add(request)
        if free:
            super().process_request(request, client_address)
        else:
            _refuse_busy(request)
            super().shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection, which makes room for another."""
        super().shutdown_request(request)
        with self._changed:
            self._in_progress.discard(request)
            self._changed.notify_all()

    def server_close(self) -> None:
        """Listen no longer, and wait a short while for the requests in progress."""
        super().server_close()
        with self._changed:
            self._changed.wait_for(lambda: not self.requests_in_progress, GRACE_SECONDS)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what went wrong, unless it is only that the client has gone."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class PredictionHandler(BaseHTTPRequestHandler):
    """Answer one request, always in JSON."""

    server: PredictionServer

    def setup(self) -> None:
        """Give the whole request a deadline; the library's own begins anew with each byte."""
        super().setup()
        self.rfile.close()
        self._incoming = TimedReader(self.connection, REQUEST_SECONDS)
        self.rfile = io.BufferedReader(self._incoming)

    def do_GET(self) -> None:
        """Answer ``/health``."""
        if self._routed():
            self._answer(HTTPStatus.OK, {"status": "ok"})

    # The same without the body, which `_answer` leaves out.
    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Answer ``/predict``."""
        # Nothing more is read for those who may not ask.
        if not self._routed() or not self._authorized():
            return
        body = self._read_body()
        if body is None:
            return
        try:
            predictions = self.server.predict(_inputs_of(body))
        except InputError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except Exception as _:
            traceback.print_exc()
            message = "The server failed to predict; its log says why."
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, message)
        else:
            self._answer(HTTPStatus.OK, {"predictions": predictions})

    def _routed(self) -> bool:
        method = ROUTES.get(self.path)
        asked = "GET" if self.command == "HEAD" else self.command
        if method is None:
            self._refuse(HTTPStatus.NOT_FOUND, f"There are {' and '.join(ROUTES)} here.")
        elif method != asked:
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, f"Use {method}.", Allow=method)
        return method == asked

    def _authorized(self) -> bool:
        expected = f"Bearer {self.server.token}".encode()
        given = self.headers.get("Authorization", "").encode("latin-1")
        if not self.server.token or hmac.compare_digest(expected, given):
            return True
        message = f"Send the server's {TOKEN_VARIABLE} in the header Authorization: Bearer TOKEN."
        self._refuse(HTTPStatus.UNAUTHORIZED, message, **{"WWW-Authenticate": "Bearer"})
        return False

    def _read_body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        # To Python, numerals of other scripts are decimal, too, and int() takes them.
        if not (length.isascii() and length.isdigit()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "Send the body's size in Content-Length.")
            return None
        if len(length) > 10 or int(length) > MAX_BYTES:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"A request has at most {MAX_BYTES} bytes; send fewer inputs at a time.",
            )
            return None
        try:
            return self.rfile.read(int(length))
        except TimeoutError:
            message = f"A request must arrive within {REQUEST_SECONDS:g} seconds."
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, message)
            return None

    def _refuse(self, code: HTTPStatus, message: str, **headers: str) -> None:
        self._answer(code, {"error": message}, **headers)
        # A connection that closes with something unread can lose the answer on its way.
        self._incoming.allow(UNREAD_SECONDS)
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while self._incoming.read(io.DEFAULT_BUFFER_SIZE):
                pass

    def _answer(self, code: HTTPStatus, values: dict[str, Any], **headers: str) -> None:
        content = json.dumps(values).encode()
        self.connection.settimeout(REQUEST_SECONDS)
        self.send_response(code)
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse in JSON what the library itself finds wrong."""
        self._refuse(HTTPStatus(code), message or HTTPStatus(code).phrase)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log all requests but those for ``/health``, which come all the time."""
        if getattr(self, "path", "") != "/health":
            super().log_request(code, size)


def _inputs_of(body: bytes) -> object:
    try:
        values = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError("The body must be JSON.") from error
    if not isinstance(values, dict) or values.keys() != {"inputs"}:
        raise InputError('The body must be {"inputs": [...]} and nothing else.')
    return values["inputs"]


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which are JSON to Python alone."""
    raise ValueError(name)


def _refuse_busy(connection: socket.socket) -> None:
    """Refuse without a thread and without waiting: what does not leave at once is not sent."""
    content = json.dumps({"error": "Too many requests at a time; try again."})
    head = "HTTP/1.0 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Type: application/json"
    connection.setblocking(False)
    with contextlib.suppress(OSError):
        connection.send(f"{head}\r\nContent-Length: {len(content)}\r\n\r\n{content}".encode())
        # What has come and is not read would make closing a reset, which can lose the answer.
        connection.recv(MAX_BYTES)
