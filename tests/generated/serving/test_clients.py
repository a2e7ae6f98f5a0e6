"""The scripts and clients of ``serve/``, as far as they go without a server."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import digits
import pytest
import torch

from .client import save_checkpoint

ROOT = Path(digits.__file__).parents[2]
# Beside src/, from where `python -m serve.predict` finds it.
sys.path.append(str(ROOT))

from serve.client import Client, run  # noqa: E402
from serve.load_test import Found, ask_until, percentile  # noqa: E402
from serve.load_test import main as load_test  # noqa: E402
from serve.predict import main as predict  # noqa: E402
from serve.samples import difference  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVERS = ["torchserve", "triton"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the clients take samples and expected outputs from."""
    return save_checkpoint("digits", tmp_path_factory.mktemp("run"))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a running server's files, and an environment without its key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRITON_KEY", raising=False)


def with_key(
    server: str, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Return the options of a client that has some key."""
    monkeypatch.setenv("TRITON_KEY", "a-key")
    (tmp_path / "keys.json").write_text('{"inference": {"key": "a-key"}}')
    key_file = ["--key-file", "keys.json"] if server == "torchserve" else []
    return [server, "--checkpoint", str(checkpoint), *key_file]


class Clock:
    """The time of a load test: only the pause after an error takes some."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let it pass."""
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the load test, which runs as fast on a busy machine as on any."""
    clock = Clock()
    monkeypatch.setattr("serve.load_test.time", clock)
    return clock


@contextlib.contextmanager
def answering(*answers: object) -> Iterator[str]:
    """Run a server with these answers, the last one again and again; its address."""
    left = [answer if isinstance(answer, str) else json.dumps(answer) for answer in answers]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # Some clients ask for the model first.
            given = {"name": "images", "datatype": "FP32", "shape": [-1, 1, 8, 8]}
            self.answer(json.dumps({"platform": "onnxruntime_onnx", "inputs": [given]}))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(left.pop(0) if len(left) > 1 else left[0])

        def answer(self, text: str) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def start(server: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the server's script with programs of the system alone."""
    return subprocess.run(
        ["sh", str(ROOT / "serve" / server / "start"), *arguments],
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("server", SERVERS)
def test_a_script_without_a_model_says_how_it_is_used(server: str, tmp_path: Path) -> None:
    for arguments in ([], [str(tmp_path)], [str(tmp_path / "none")]):
        result = start(server, *arguments, TRITON_KEY="a-key")

        assert result.returncode == 2
        assert "usage: " in result.stderr


@pytest.mark.parametrize("key", ["", "a,b", "a:b", "a b", "a=b"])
def test_triton_starts_with_no_key_that_it_would_misread(key: str, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.pbtxt").touch()

    result = start("triton", str(tmp_path), TRITON_KEY=key)

    assert result.returncode == 2
    assert "set TRITON_KEY" in result.stderr


def test_triton_listens_to_this_machine_alone(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.pbtxt").touch()
    # In the server's place, a program that prints how it is called.
    server = tmp_path / "tritonserver"
    server.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    server.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"

    printed = start("triton", str(tmp_path), "--log-verbose=1", TRITON_KEY="a-key", PATH=path)

    lines = printed.stdout.splitlines()
    for api in ("http", "grpc", "metrics"):
        assert f"--{api}-address=127.0.0.1" in lines
    restricted = [line for line in lines if line.endswith(":access-key=a-key")]
    assert {line.partition("=")[0] for line in restricted} == {
        "--http-restricted-api",
        "--grpc-restricted-protocol",
    }
    for line in restricted:
        assert {"metadata", "inference", "model-repository"} < set(
            line.partition("=")[2].partition(":")[0].split(",")
        )
    assert lines[-1] == "--log-verbose=1"


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ('openjdk version "11.0.28" 2025-07-15', 2),
        ('java version "1.8.0_392"', 2),
        ("no version", 2),
        ('openjdk version "17.0.15" 2025-04-15', 1),
        ('openjdk version "21" 2023-09-19', 1),
    ],
)
def test_torchserve_starts_with_no_old_java(version: str, status: int, tmp_path: Path) -> None:
    (tmp_path / "model.mar").touch()
    # Programs in their places: a Java that prints its version, a server that ends at once.
    for name, line in (("java", f"echo '{version}' >&2"), ("torchserve", "exit 3")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin", "TORCHSERVE_RUN": str(tmp_path / "run")}

    result = start("torchserve", str(tmp_path), **variables)

    assert result.returncode == status
    assert ("java is not Java 17 or newer" in result.stderr) == (status == 2)
    assert len(result.stderr.splitlines()) == 1


def test_torchserve_listens_to_this_machine_alone_and_wants_a_key() -> None:
    text = (ROOT / "serve" / "torchserve" / "config.properties").read_text(encoding="utf-8")
    settings = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    for name in ("inference", "management", "metrics"):
        assert settings[f"{name}_address"].startswith("http://127.0.0.1:")
    for name in ("inference", "management"):
        assert settings[f"grpc_{name}_address"] == "127.0.0.1"
    assert settings["disable_token_authorization"] == "false"
    assert settings["enable_model_api"] == "false"


@pytest.mark.parametrize("server", SERVERS)
def test_a_client_without_a_key_says_so(
    server: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(lambda: predict([server])) == 2
    assert "key" in capsys.readouterr().err.casefold()


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("client", [predict, load_test])
def test_a_client_without_a_server_says_so(
    server: str,
    client: Any,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    options = [*with_key(server, checkpoint, tmp_path, monkeypatch), "--url", url]

    assert run(lambda: client(options)) == 1

    assert f"{url} does not answer" in capsys.readouterr().err


VALUES = [0.5] * 10
RIGHT: dict[str, object] = {
    "torchserve": {"output": [VALUES]},
    "triton": {"outputs": [{"name": "output", "shape": [1, 10], "data": VALUES}]},
}
UNREADABLE: list[tuple[str, object]] = [
    *((server, answer) for server in SERVERS for answer in ("no JSON", "", [], None)),
    ("torchserve", {"output": None}),
    ("torchserve", {"output": [[1.0], [2.0, 3.0]]}),
    ("torchserve", {"output": [["one"]]}),
    ("triton", {}),
    ("triton", {"outputs": [{"name": "output", "shape": [1]}]}),
    ("triton", {"outputs": [{"name": "output", "shape": [1, 2], "data": []}]}),
]
OTHERS: list[tuple[str, object]] = [
    ("torchserve", {}),
    ("torchserve", {"logits": [VALUES]}),
    ("torchserve", {"output": [VALUES, VALUES]}),
    ("triton", {"outputs": []}),
    ("triton", {"outputs": [{"name": "output", "shape": [2, 1], "data": [1.0, 2.0]}]}),
]


@pytest.mark.parametrize(
    ("server", "answer", "complaint"),
    [
        *((*each, "answers what this client cannot read") for each in UNREADABLE),
        *((*each, "serves another model") for each in OTHERS),
    ],
)
def test_a_wrong_answer_is_the_servers_failure(
    server: str,
    answer: object,
    complaint: str,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(answer) as url:
        options = [*with_key(server, checkpoint, tmp_path, monkeypatch), "--url", url]
        assert run(lambda: predict(options)) == 1

    assert f"{url} {complaint}" in capsys.readouterr().err


@pytest.mark.parametrize("server", SERVERS)
def test_a_load_whose_answers_become_unreadable_fails(
    server: str,
    clock: Clock,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(RIGHT[server], RIGHT[server], {}) as url:
        options = [*with_key(server, checkpoint, tmp_path, monkeypatch), "--url", url]
        assert run(lambda: load_test([*options, "--clients=1", "--seconds=0.25"])) == 1

    printed = capsys.readouterr()
    assert "answered  1 requests of 1" in printed.out
    assert "3 times: " in printed.out
    assert "no answer that can be used" in printed.err


def test_a_client_that_breaks_counts_as_an_error(clock: Clock) -> None:
    class Broken(Client):
        def body_of(self, inputs: Any) -> bytes:
            return b""

        def ask(self, body: bytes) -> Any:
            raise RuntimeError("a fault of the client")

    found = Found()
    client = Broken("http://127.0.0.1:1", {})
    ask_until(client, [(b"", {})], 0, clock.now + 0.01, difference, found)

    assert found.errors == {"a fault of the client": 1}


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://"])
def test_a_wrong_address_is_refused(
    url: str,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = [*with_key(SERVERS[0], checkpoint, tmp_path, monkeypatch), "--url", url]

    assert run(lambda: predict(options)) == 2

    assert "is not an address like" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--sample=360", "--sample=-1", "--checkpoint=missing.pt"])
def test_samples_that_are_not_there_are_refused(
    option: str,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = [*with_key("torchserve", checkpoint, tmp_path, monkeypatch), option]

    assert run(lambda: predict(options)) == 2

    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1


@pytest.mark.parametrize("option", ["--clients", "--seconds", "--batch"])
@pytest.mark.parametrize("value", ["0", "-1"])
def test_a_load_of_nothing_is_refused(
    option: str,
    value: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(lambda: load_test([SERVERS[0], option, value])) == 2
    assert f"{option} must be more than 0" in capsys.readouterr().err


def test_outputs_are_compared_whatever_extra_dimension_a_server_adds() -> None:
    expected = {"a": torch.tensor([1.0, float("-inf")]), "b": torch.tensor([3])}
    found = {"a": torch.tensor([[1.5], [float("-inf")]]), "b": torch.tensor([[3]])}

    assert difference(found, expected) == 0.5


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(value) for value in range(200, 0, -1)]

    assert [percentile(values, part) for part in (50, 95, 99)] == [100, 190, 198]
    assert percentile([7.0], 50) == 7
    assert percentile([1.0, 2.0], 99) == 2


def test_the_report_has_every_error() -> None:
    found = Found(latencies=[0.01] * 9, difference=1e-7)
    found.add(Found(latencies=[0.5], difference=2e-6))
    found.add(Found())
    found.errors.update(["no room", "no room", "gone"])

    lines = found.report(batch=2, seconds=2.0).splitlines()

    assert lines == [
        "answered  10 requests of 2, 5.0 a second",
        "samples   10.0 a second",
        "latency   p50 10.0 ms, p95 500.0 ms, p99 500.0 ms",
        "differs   2.0e-06 at most from the checkpoint's model",
        "errors    3",
        "  2 times: no room",
        "  1 times: gone",
    ]
    assert Found().report(1, 1.0).splitlines()[0].startswith("answered  0 requests")
