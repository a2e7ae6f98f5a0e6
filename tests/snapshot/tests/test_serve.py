"""The prediction server, over real connections."""

import contextlib
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from digit_classifier.classifier import build_classifier
from digit_classifier.config import ModelConfig
from digit_classifier.prediction import Prediction, Predictor
from digit_classifier.serve import GRACE_SECONDS, MAX_BYTES, PredictionServer, run

LOCAL = "127.0.0.1"
TOKEN = "a secret of the test"
BLANK = [[0.0] * 8 for _ in range(8)]
BODY = json.dumps({"images": [BLANK, BLANK]})
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SERVE = [sys.executable, "-m", "digit_classifier.serve"]
HEAD = f"POST /predict HTTP/1.0\r\nContent-Length: {MAX_BYTES}\r\n"
AUTHORIZED_HEAD = f"{HEAD}Authorization: Bearer {TOKEN}\r\n\r\n".encode()
LIMIT = 120.0
"""Seconds after which a test that waits has failed."""


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """A small model with fresh weights."""
    model = build_classifier(ModelConfig(channels=4, hidden_features=8))
    return Predictor(model, torch.device("cpu"))


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


def serving(predictor: Predictor, token: str) -> Iterator[PredictionServer]:
    """Serve on a free port while the generator waits."""
    with PredictionServer((LOCAL, 0), predictor, token) as server, running(server):
        yield server


@pytest.fixture(scope="module")
def server(predictor: Predictor) -> Iterator[PredictionServer]:
    """A server that demands the token."""
    yield from serving(predictor, TOKEN)


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


class HeldPredictor(Predictor):
    """Predict only when told to."""

    def __init__(self, predictor: Predictor) -> None:
        self.predict_now = predictor.predict
        self.begun = threading.Event()
        self.released = threading.Event()

    def predict(self, images: torch.Tensor) -> list[Prediction]:
        """Wait, then predict."""
        self.begun.set()
        assert self.released.wait(LIMIT)
        return self.predict_now(images)


def test_health_needs_no_token(server: PredictionServer) -> None:
    assert request(server.server_port, "GET", "/health") == (200, {"status": "ok"})


def test_the_head_of_health_comes_without_a_body(server: PredictionServer) -> None:
    with socket.create_connection((LOCAL, server.server_port), timeout=LIMIT) as connection:
        connection.sendall(b"HEAD /health HTTP/1.0\r\n\r\n")
        head, _, body = read_answer(connection).partition(b"\r\n\r\n")

    assert head.split()[1] == b"200"
    assert b"Content-Length: 16" in head
    assert body == b""


def test_a_prediction_comes_for_each_image(server: PredictionServer, predictor: Predictor) -> None:
    status, answer = request(server.server_port, "POST", "/predict", BODY, BEARER)

    assert status == 200
    expected = predictor.predict(torch.zeros(2, 1, 8, 8))
    for given, each in zip(answer["predictions"], expected, strict=True):
        assert given.keys() == {"label", "probabilities"}
        assert given["label"] == each.label
        assert given["probabilities"] == pytest.approx(each.probabilities)
        assert len(given["probabilities"]) == 10


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


def test_without_a_token_to_check_any_request_will_do(predictor: Predictor) -> None:
    for server in serving(predictor, token=""):
        assert request(server.server_port, "POST", "/predict", BODY)[0] == 200


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("", "must be JSON"),
        ("{", "must be JSON"),
        (b"\xff\xfe\xff", "must be JSON"),
        ("[" * 100_000, "must be JSON"),
        ("[]", "nothing else"),
        ('{"images": [], "more": 1}', "nothing else"),
        ('{"images": []}', "1 to 1024"),
        ('{"images": [[[NaN]]]}', "8 rows of 8"),
    ],
)
def test_a_body_that_is_none_is_refused(
    server: PredictionServer,
    body: str | bytes,
    complaint: str,
) -> None:
    status, answer = request(server.server_port, "POST", "/predict", body, BEARER)

    assert status == 400
    assert complaint in answer["error"]


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
def test_what_is_no_request_does_not_harm(server: PredictionServer, line: bytes) -> None:
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
    monkeypatch.setattr("digit_classifier.serve.UNREAD_SECONDS", LIMIT)
    with socket.create_connection((LOCAL, server.server_port), timeout=LIMIT) as connection:
        connection.sendall(f"{HEAD}\r\n".encode())
        assert read_answer(connection).split()[1] == b"401"
        # A client that still sends then is not cut off: it could lose the answer.
        for _ in range(10):
            connection.sendall(b" " * (MAX_BYTES // 10))


@pytest.mark.parametrize("head", [AUTHORIZED_HEAD, f"{HEAD}\r\n".encode(), b"GET /health"])
def test_a_request_that_never_ends_loses_its_connection(
    predictor: Predictor,
    head: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("digit_classifier.serve.REQUEST_SECONDS", 1.0)
    monkeypatch.setattr("digit_classifier.serve.UNREAD_SECONDS", 0.2)
    with (
        PredictionServer((LOCAL, 0), predictor, TOKEN) as server,
        # The head is there before the server is: its second is not spent on waiting for it.
        dripping(server.server_port, head) as connection,
        running(server),
    ):
        status = read_answer(connection).split()[1:2]
        # The connection ends, too, when the thread does.
        started = time.monotonic()
        while server.requests_under_way and time.monotonic() - started < LIMIT:
            time.sleep(0.01)
        assert server.requests_under_way == 0

    assert status == {AUTHORIZED_HEAD: [b"408"], b"GET /health": []}.get(head, [b"401"])


def test_one_request_too_many_is_told_to_come_again(
    predictor: Predictor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("digit_classifier.serve.MAX_REQUESTS", 1)
    held = HeldPredictor(predictor)
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


def test_a_request_under_way_still_gets_its_answer(predictor: Predictor) -> None:
    held = HeldPredictor(predictor)
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
        assert server.requests_under_way == 0
        thread.join()

    assert statuses == [200]


def test_no_long_prediction_holds_up_the_end(
    predictor: Predictor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("digit_classifier.serve.GRACE_SECONDS", 0.2)
    held = HeldPredictor(predictor)
    for server in serving(held, TOKEN):
        with socket.create_connection((LOCAL, server.server_port), timeout=LIMIT) as connection:
            head = AUTHORIZED_HEAD.replace(str(MAX_BYTES).encode(), str(len(BODY)).encode())
            connection.sendall(head + BODY.encode())
            assert held.begun.wait(LIMIT)
            closing = threading.Thread(target=server.server_close, daemon=True)
            closing.start()
            closing.join(LIMIT)
            waited = closing.is_alive()
            assert server.requests_under_way == 1
            held.released.set()

    assert not waited


def test_a_client_that_has_gone_is_no_error(
    predictor: Predictor,
    capsys: pytest.CaptureFixture[str],
) -> None:
    held = HeldPredictor(predictor)
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


def test_requests_at_the_same_time_are_all_answered(server: PredictionServer) -> None:
    statuses = []

    def ask() -> None:
        statuses.append(request(server.server_port, "POST", "/predict", BODY, BEARER)[0])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200] * 8


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train one epoch by the command and return the best checkpoint."""
    folder = tmp_path_factory.mktemp("served") / "run"
    arguments = ["--epochs", "1", "--device", "cpu", "--output", str(folder)]
    small = ["--model.channels", "4", "--model.hidden-features", "8"]
    subprocess.run(
        [sys.executable, "-m", "digit_classifier.train", *arguments, *small],
        capture_output=True,
        check=True,
    )
    return folder / "best.pt"


@contextlib.contextmanager
def command(checkpoint: Path, host: str = LOCAL) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command until the caller is done; also give the address that it prints."""
    process = subprocess.Popen(
        [*SERVE, "--checkpoint", str(checkpoint), "--host", host, "--port", "0", "--device", "cpu"],
        env={**os.environ, "SERVE_TOKEN": TOKEN},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().rpartition(" ")[2].strip()
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_told_to_stop(
    checkpoint: Path,
    number: signal.Signals,
) -> None:
    with command(checkpoint) as (process, address):
        port = int(address.rpartition(":")[2])
        assert request(port, "POST", "/predict", BODY, BEARER)[0] == 200
        assert request(port, "POST", "/predict", BODY)[0] == 401
        process.send_signal(number)
        rest, _ = process.communicate(timeout=LIMIT)

    assert process.returncode == 0
    assert rest == "stopped\n"


@pytest.mark.parametrize("head", [AUTHORIZED_HEAD, f"{HEAD}\r\n".encode()])
def test_no_client_holds_up_the_end(checkpoint: Path, head: bytes) -> None:
    with contextlib.ExitStack() as stack:
        process, address = stack.enter_context(command(checkpoint))
        port = int(address.rpartition(":")[2])
        stack.enter_context(dripping(port, head))
        # Connections are taken in their order: after this, that one has been.
        assert request(port, "GET", "/health")[0] == 200
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=GRACE_SECONDS + 5)

    assert process.returncode == 0
    assert rest == "stopped\n"


def has_ipv6() -> bool:
    """Tell whether this machine has IPv6's loopback."""
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_the_loopback_of_ipv6_is_served(checkpoint: Path) -> None:
    with command(checkpoint, "::1") as (_, address):
        assert address.startswith("http://[::1]:")
        with urllib.request.urlopen(f"{address}/health", timeout=LIMIT) as answer:
            assert answer.status == 200


def test_localhost_is_the_address_that_all_clients_try(
    predictor: Predictor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [(socket.AF_INET6, 1, 6, "", ("::1", 0, 0, 0)), (socket.AF_INET, 1, 6, "", (LOCAL, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    with PredictionServer(("localhost", 0), predictor) as server:
        assert server.address_family == socket.AF_INET


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_are_not_served_without_a_token(
    checkpoint: Path,
    host: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SERVE_TOKEN", "")
    arguments = ["--checkpoint", str(checkpoint), "--host", host, "--port", "0"]

    assert run(arguments) == 2

    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert "SERVE_TOKEN" in printed
    assert printed.count("\n") == 1


def test_a_missing_checkpoint_gets_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "missing.pt"

    assert run(["--checkpoint", str(path)]) == 2

    assert capsys.readouterr().err == f"error: Cannot read {path}: No such file or directory.\n"


def test_a_port_that_is_none_gets_one_sentence(
    checkpoint: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["--checkpoint", str(checkpoint), "--port", "65536"]) == 2

    assert "--port must be between 0 and 65535" in capsys.readouterr().err


def test_a_taken_port_gets_one_sentence(
    checkpoint: Path,
    server: PredictionServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--checkpoint", str(checkpoint), "--port", str(server.server_port)]

    assert run(arguments) == 1

    place = f"{LOCAL}, port {server.server_port}"
    complaint = f"error: Cannot listen on {place}: Address already in use\n"
    assert capsys.readouterr().err == complaint


@pytest.mark.parametrize("host", ["not an address", "a" * 64])
def test_a_host_that_is_none_gets_one_sentence(
    checkpoint: Path,
    host: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["--checkpoint", str(checkpoint), "--host", host]) == 2

    printed = capsys.readouterr().err
    assert printed.startswith(f"error: --host {host} is no address of this machine: ")
    assert printed.count("\n") == 1


def test_the_server_needs_no_tools_of_training() -> None:
    # The image that serves has what the package requires, and none of its extras.
    script = """
import sys
for name in ("matplotlib", "sklearn", "tensorboard", "tqdm", "tyro"):
    sys.modules[name] = None
import digit_classifier.serve
"""
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr
