"""A repository's server over real connections; what predicts is a function of the test."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

import pytest
from digits.command import InputError
from digits.serving.server import MAX_BYTES, MAX_REQUESTS, PredictionServer

from .client import BEARER, LIMIT, LOCAL, TOKEN, dripping, read_answer, request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digits.serving.server import Predict

BODY = json.dumps({"inputs": [[1, 2], [3]]})
HEAD = f"POST /predict HTTP/1.0\r\nContent-Length: {MAX_BYTES}\r\n"
AUTHORIZED_HEAD = f"{HEAD}Authorization: Bearer {TOKEN}\r\n\r\n".encode()


def add_up(values: object) -> list[object]:
    """Predict the sum of each input; what cannot be added is refused."""
    assert isinstance(values, list)
    for number, value in enumerate(values):
        if not isinstance(value, list):
            raise InputError(f"inputs[{number}]: a list of numbers is wanted.")
    return [sum(value) for value in values]


@contextlib.contextmanager
def running(server: PredictionServer) -> Iterator[None]:
    """Let a server serve until the caller is done."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def serving(predict: Predict, token: str) -> Iterator[PredictionServer]:
    """Serve on a free port while the generator waits."""
    with PredictionServer((LOCAL, 0), predict, token) as server, running(server):
        yield server


@pytest.fixture(scope="module")
def server() -> Iterator[PredictionServer]:
    """A server that demands the token."""
    yield from serving(add_up, TOKEN)


class Held:
    """Predict only when it is released."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.released = threading.Event()

    def __call__(self, values: object) -> list[object]:
        self.begun.set()
        assert self.released.wait(LIMIT)
        return add_up(values)


def test_health_needs_no_token(server: PredictionServer) -> None:
    assert request(server.server_port, "GET", "/health") == (200, {"status": "ok"})


def test_the_head_of_health_comes_without_a_body(server: PredictionServer) -> None:
    with socket.create_connection((LOCAL, server.server_port), timeout=LIMIT) as connection:
        connection.sendall(b"HEAD /health HTTP/1.0\r\n\r\n")
        head, _, body = read_answer(connection).partition(b"\r\n\r\n")

    assert head.split()[1] == b"200"
    assert b"Content-Length: 16" in head
    assert body == b""


def test_a_prediction_comes_for_each_input(server: PredictionServer) -> None:
    answer = request(server.server_port, "POST", "/predict", BODY, BEARER)

    assert answer == (200, {"predictions": [3, 3]})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer \xff"},
    ],
)
def test_without_the_token_nothing_is_predicted(
    server: PredictionServer,
    headers: dict[str, str],
) -> None:
    status, answer = request(server.server_port, "POST", "/predict", BODY, headers)

    assert status == 401
    assert "SERVE_TOKEN" in answer["error"]
    assert TOKEN not in answer["error"]


def test_without_a_token_to_check_any_request_will_do() -> None:
    for server in serving(add_up, token=""):
        assert request(server.server_port, "POST", "/predict", BODY)[0] == 200


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("", "must be JSON"),
        ("{", "must be JSON"),
        (b"\xff\xfe\xff", "must be JSON"),
        ("[" * 100_000, "must be JSON"),
        ('{"inputs": [[NaN]]}', "must be JSON"),
        ('{"inputs": [[-Infinity]]}', "must be JSON"),
        ("[]", "nothing else"),
        ('{"inputs": [], "more": 1}', "nothing else"),
        ('{"inputs": [[1], 2]}', "inputs[1]: a list"),
    ],
)
def test_a_wrong_body_is_refused(
    server: PredictionServer,
    body: str | bytes,
    complaint: str,
) -> None:
    status, answer = request(server.server_port, "POST", "/predict", body, BEARER)

    assert status == 400
    assert complaint in answer["error"]


def test_a_failure_of_the_server_itself_is_answered_and_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(values: object) -> list[object]:
        raise RuntimeError("a fault of the model")

    for server in serving(broken, ""):
        status, answer = request(server.server_port, "POST", "/predict", BODY)

    assert status == 500
    assert "log says why" in answer["error"]
    assert "RuntimeError: a fault of the model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", 404),
        ("POST", "/predict/more", 404),
        ("GET", "/predict", 405),
        ("POST", "/health", 405),
        ("PUT", "/health", 501),
        ("DELETE", "/predict", 501),
    ],
)
def test_other_requests_are_refused(
    server: PredictionServer,
    method: str,
    path: str,
    expected: int,
) -> None:
    status, answer = request(server.server_port, method, path, "{}", BEARER)

    assert status == expected
    assert answer.keys() == {"error"}


@pytest.mark.parametrize(
    ("length", "expected"),
    [(str(MAX_BYTES + 1), 413), ("9" * 5000, 413), ("-1", 411), ("ten", 411), ("²", 411)],
)
def test_only_a_stated_and_small_size_is_read(
    server: PredictionServer,
    length: str,
    expected: int,
) -> None:
    # No body follows: the server answers by the stated size alone.
    with socket.create_connection((LOCAL, server.server_port), timeout=LIMIT) as connection:
        head = f"POST /predict HTTP/1.0\r\nContent-Length: {length}\r\n"
        connection.sendall(f"{head}Authorization: Bearer {TOKEN}\r\n\r\n".encode("latin-1"))
        answer = connection.makefile("rb").readline()

    assert answer.split()[1] == str(expected).encode()


@pytest.mark.parametrize("line", [b"\r\n\r\n", b"nonsense\r\n\r\n", b"GET /health HTTP/9\r\n\r\n"])
def test_a_malformed_request_does_no_harm(server: PredictionServer, line: bytes) -> None:
    with socket.create_connection((LOCAL, server.server_port), timeout=LIMIT) as connection:
        connection.sendall(line)
        connection.makefile("rb").read()

    assert request(server.server_port, "GET", "/health")[0] == 200


@pytest.mark.parametrize("path", ["/predict", "/health", "/more"])
def test_no_body_is_read_of_a_request_without_the_token(
    server: PredictionServer,
    path: str,
) -> None:
    # The body never comes: whoever waited for it would not answer.
    with socket.create_connection((LOCAL, server.server_port), timeout=5) as connection:
        connection.sendall(f"{HEAD}\r\n".replace("/predict", path).encode())
        status = connection.makefile("rb").readline().split()[1]

    assert status in {b"401", b"405", b"404"}


def test_a_refused_request_with_a_large_body_hears_why(
    server: PredictionServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("digits.serving.server.UNREAD_SECONDS", LIMIT)
    with socket.create_connection((LOCAL, server.server_port), timeout=LIMIT) as connection:
        connection.sendall(f"{HEAD}\r\n".encode())
        assert read_answer(connection).split()[1] == b"401"
        # A client that still sends then is not cut off: it could lose the answer.
        for _ in range(10):
            connection.sendall(b" " * (MAX_BYTES // 10))


@pytest.mark.parametrize("head", [AUTHORIZED_HEAD, f"{HEAD}\r\n".encode(), b"GET /health"])
def test_a_request_that_never_ends_loses_its_connection(
    head: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("digits.serving.server.REQUEST_SECONDS", 1.0)
    monkeypatch.setattr("digits.serving.server.UNREAD_SECONDS", 0.2)
    with (
        PredictionServer((LOCAL, 0), add_up, TOKEN) as server,
        # The head is there before the server is: its second is not spent on waiting for it.
        dripping(server.server_port, head) as connection,
        running(server),
    ):
        status = read_answer(connection).split()[1:2]
        # The connection ends, too, when the thread does.
        started = time.monotonic()
        while server.requests_in_progress and time.monotonic() - started < LIMIT:
            time.sleep(0.01)
        assert server.requests_in_progress == 0

    assert status == {AUTHORIZED_HEAD: [b"408"], b"GET /health": []}.get(head, [b"401"])


def test_one_request_too_many_is_asked_to_try_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("digits.serving.server.MAX_REQUESTS", 1)
    held = Held()
    statuses = []
    for server in serving(held, TOKEN):
        port = server.server_port

        def ask(port: int = port) -> None:
            statuses.append(request(port, "POST", "/predict", BODY, BEARER)[0])

        thread = threading.Thread(target=ask)
        thread.start()
        assert held.begun.wait(LIMIT)
        with socket.create_connection((LOCAL, port), timeout=LIMIT) as connection:
            head, _, body = read_answer(connection).partition(b"\r\n\r\n")
        held.released.set()
        thread.join()

    assert head.split()[1] == b"503"
    assert "Too many requests" in json.loads(body)["error"]
    assert statuses == [200]


def test_a_request_in_progress_still_gets_its_answer() -> None:
    held = Held()
    statuses = []
    for server in serving(held, TOKEN):
        port = server.server_port

        def ask(port: int = port) -> None:
            statuses.append(request(port, "POST", "/predict", BODY, BEARER)[0])

        thread = threading.Thread(target=ask)
        thread.start()
        assert held.begun.wait(LIMIT)
        closing = threading.Thread(target=server.server_close)
        closing.start()
        held.released.set()
        closing.join()
        assert server.requests_in_progress == 0
        thread.join()

    assert statuses == [200]


def test_no_long_prediction_holds_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("digits.serving.server.GRACE_SECONDS", 0.2)
    held = Held()
    for server in serving(held, TOKEN):
        with socket.create_connection((LOCAL, server.server_port), timeout=LIMIT) as connection:
            head = AUTHORIZED_HEAD.replace(str(MAX_BYTES).encode(), str(len(BODY)).encode())
            connection.sendall(head + BODY.encode())
            assert held.begun.wait(LIMIT)
            closing = threading.Thread(target=server.server_close, daemon=True)
            closing.start()
            closing.join(LIMIT)
            waited = closing.is_alive()
            assert server.requests_in_progress == 1
            held.released.set()

    assert not waited


def test_a_client_that_has_gone_is_no_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    held = Held()
    for server in serving(held, ""):
        connection = socket.create_connection((LOCAL, server.server_port), timeout=LIMIT)
        # Without lingering, closing tells the server at once that nobody listens.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        head = f"POST /predict HTTP/1.0\r\nContent-Length: {len(BODY)}\r\n\r\n"
        connection.sendall(head.encode() + BODY.encode())
        assert held.begun.wait(LIMIT)
        connection.close()
        held.released.set()

    assert "Traceback" not in capsys.readouterr().err


def burst(port: int, count: int) -> list[int]:
    """Open so many connections at the same moment, and return what each is answered."""
    statuses: list[int] = []
    together = threading.Barrier(count)

    def ask() -> None:
        together.wait(LIMIT)
        try:
            statuses.append(request(port, "POST", "/predict", BODY, BEARER)[0])
        except (OSError, http.client.HTTPException) as error:
            print(f"lost: {error!r}")
            statuses.append(0)

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    return statuses


def test_a_burst_of_as_many_requests_as_the_limit_loses_none(server: PredictionServer) -> None:
    for _ in range(5):
        assert burst(server.server_port, MAX_REQUESTS) == [200] * MAX_REQUESTS


def test_connections_wait_until_they_are_accepted() -> None:
    # Nobody accepts yet: each of these waits in the queue of the listening socket.
    with PredictionServer((LOCAL, 0), add_up, TOKEN) as server, contextlib.ExitStack() as stack:
        waiting = [
            stack.enter_context(socket.create_connection((LOCAL, server.server_port), timeout=5))
            for _ in range(MAX_REQUESTS)
        ]
        for connection in waiting:
            connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        with running(server):
            answers = [read_answer(connection) for connection in waiting]

    assert all(answer.startswith(b"HTTP/1.0 200 ") for answer in answers)


def test_a_burst_beyond_the_limit_is_answered_too(
    server: PredictionServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("digits.serving.server.MAX_REQUESTS", 4)
    statuses = burst(server.server_port, 60)

    assert len(statuses) == 60
    assert set(statuses) <= {200, 503}


def test_localhost_is_the_address_that_all_clients_try(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET6, 1, 6, "", ("::1", 0, 0, 0)), (socket.AF_INET, 1, 6, "", (LOCAL, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    with PredictionServer(("localhost", 0), add_up) as server:
        assert server.address_family == socket.AF_INET
