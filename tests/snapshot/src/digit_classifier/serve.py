"""Serve a checkpoint's predictions over HTTP: for trying it out, and for little traffic.

``GET /health`` tells that the server works. ``POST /predict`` takes ``{"images": [...]}``, each
image 8 rows of 8 numbers from 0 to 1, and answers ``{"predictions": [...]}``, each with a ``label``
and the ``probabilities`` of all classes. Where the environment has SERVE_TOKEN, a prediction needs
the header ``Authorization: Bearer TOKEN``; without a token the server refuses to listen to other
machines.
"""

import argparse
import contextlib
import dataclasses
import hmac
import io
import ipaddress
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .connection import TimedReader, resolve
from .errors import InputError, sentence, status, tell
from .prediction import Predictor, images_from_values, load_predictor

TOKEN_VARIABLE = "SERVE_TOKEN"
MAX_BYTES = 1 << 20
"""Size of the largest request that is read."""

MAX_REQUESTS = 64
"""Requests under way at a time; one more is told to come again."""
REQUEST_SECONDS = 10.0
"""How long a request may take to arrive, and its answer to leave."""
UNREAD_SECONDS = 2.0
"""How long what follows a refused request is read, and dropped."""
GRACE_SECONDS = 3.0
"""How long the end of the server waits for requests under way."""

ROUTES = {"/health": "GET", "/predict": "POST"}


class PredictionServer(ThreadingHTTPServer):
    """A server of one predictor; each request has a thread.

    ``server_close`` waits a short while for the requests under way.

    Args:
        address: host and port; port 0 takes a free one, which ``server_port`` tells
        predictor: what answers
        token: what a request for predictions must bring, if anything
    """

    # The library waits without a limit for threads that are none.
    daemon_threads = True

    def __init__(self, address: tuple[str, int], predictor: Predictor, token: str = "") -> None:
        host, port = address
        self.address_family, place = resolve(host, port)
        if not token and not ipaddress.ip_address(place[0]).is_loopback:
            raise InputError(
                f"To listen on {host}, which other machines can reach, set {TOKEN_VARIABLE} "
                "to a secret that every request must bring."
            )
        self.predictor = predictor
        self.token = token
        self._under_way: set[socket.socket] = set()
        self._changed = threading.Condition()
        try:
            super().__init__(place, PredictionHandler)
        except OSError as error:
            text = f"Cannot listen on {host}, port {port}: {error.strerror}"
            raise OSError(error.errno, text) from error

    @property
    def requests_under_way(self) -> int:
        """How many connections have a thread now."""
        return len(self._under_way)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, or refuse at once where too many are under way."""
        with self._changed:
            free = self.requests_under_way < MAX_REQUESTS
            if free:
                self._under_way.add(request)
        if free:
            super().process_request(request, client_address)
        else:
            _refuse_busy(request)
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection, which makes room for another."""
        super().shutdown_request(request)
        with self._changed:
            self._under_way.discard(request)
            self._changed.notify_all()

    def server_close(self) -> None:
        """Listen no longer, and wait a short while for the requests under way."""
        super().server_close()
        with self._changed:
            self._changed.wait_for(lambda: not self.requests_under_way, GRACE_SECONDS)

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
            predictions = self.server.predictor.predict(images_from_values(_images_of(body)))
        except InputError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        else:
            answer = {"predictions": [dataclasses.asdict(each) for each in predictions]}
            self._answer(HTTPStatus.OK, answer)

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
        # What is a digit to Python includes those of other scripts, which int() takes as well.
        if not (length.isascii() and length.isdigit()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "Send the body's size in Content-Length.")
            return None
        if len(length) > 10 or int(length) > MAX_BYTES:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"A request has at most {MAX_BYTES} bytes; send fewer images at a time.",
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


def _images_of(body: bytes) -> object:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("The body must be JSON.") from error
    if not isinstance(values, dict) or values.keys() != {"images"}:
        raise InputError('The body must be {"images": [...]} and nothing else.')
    return values["images"]


def _refuse_busy(connection: socket.socket) -> None:
    """Refuse without a thread and without waiting: what does not leave at once is not sent."""
    content = json.dumps({"error": "Too many requests at a time; try again."})
    head = "HTTP/1.0 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Type: application/json"
    connection.setblocking(False)
    with contextlib.suppress(OSError):
        connection.send(f"{head}\r\nContent-Length: {len(content)}\r\n\r\n{content}".encode())


def main(arguments: Sequence[str]) -> None:
    """Serve until SIGTERM or Ctrl-C; requests under way have a few seconds to get their answer."""
    # The standard library's parser, since the image that serves has no other.
    parser = argparse.ArgumentParser(
        prog="python -m digit_classifier.serve",
        description="Serve a checkpoint's predictions over HTTP.",
        epilog=f"{TOKEN_VARIABLE} in the environment is the token that requests must bring.",
        allow_abbrev=False,
    )
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="FILE")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port, 0: a free one (%(default)s)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps (%(default)s)")
    chosen = parser.parse_args(arguments)
    if not 0 <= chosen.port <= 65535:
        raise InputError(f"--port must be between 0 and 65535; it is {chosen.port}.")
    predictor = load_predictor(chosen.checkpoint, chosen.device)
    token = os.environ.get(TOKEN_VARIABLE, "")
    with PredictionServer((chosen.host, chosen.port), predictor, token) as server:
        for number in (signal.SIGINT, signal.SIGTERM):
            # `shutdown` waits for the loop that the handler interrupts: it needs its own thread.
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
        address = f"http://{host}:{server.server_port}"
        print(f"serving {chosen.checkpoint} on {address}", flush=True)
        server.serve_forever()
    print("stopped", flush=True)


def run(arguments: Sequence[str]) -> int:
    """Serve and return the exit status, as the other commands have it; one sentence says why.

    Their own way to end is not imported: it brings the progress bar, which the image that serves
    does not have.
    """
    try:
        main(arguments)
    except (InputError, OSError) as error:
        tell(sentence(error))
        return status(error)
    return 0


if __name__ == "__main__":
    exit_status = run(sys.argv[1:])
    # Python would take itself down under a prediction that still runs, which can crash.
    os._exit(exit_status)
