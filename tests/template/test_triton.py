"""Triton for real: the unmodified repository that a project exports, loaded, asked and refused.

The server is the one in the wheel of nvidia-pytriton, which has the Python backend alone: one that
calls onnxruntime stands for NVIDIA's own backend of that name, which is therefore not tested here.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .own_environment import CONSTRAINTS, python_with
from .ports import free_ports
from .served_model import (
    COUNT,
    LOOPBACK,
    Served,
    ask,
    eager_answers,
    figures_of,
    greatest_difference,
    listeners,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Program, Render

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the wheel with the server is for Linux"),
    pytest.mark.skipif(
        sys.version_info >= (3, 13),
        reason="the wheel's Python backend wants numpy 1, of which Python 3.13 has no wheel",
    ),
]

KEY = "a-secret-of-the-test"
HEADER = {"access-key": KEY}
BACKEND = Path(__file__).with_name("triton_onnxruntime_backend.py")

# A client of gRPC; it prints the logits of each digit, then how the server refuses a wrong key, no
# key and a wrong shape.
GRPC = """
import json, sys
import numpy, tritonclient.grpc as client
port, key = sys.argv[1:]
images = numpy.array(json.load(sys.stdin), "float32")
server = client.InferenceServerClient(f"127.0.0.1:{port}")
def ask(images, **headers):
    given = client.InferInput("images", images.shape, "FP32")
    given.set_data_from_numpy(images)
    named = {f"triton-grpc-protocol-{name}": value for name, value in headers.items()}
    return server.infer("digits", [given], headers=named).as_numpy("logits")
answers = [ask(image[None], **{"access-key": key})[0].tolist() for image in images]
refused = []
for given, headers in (
    (images[:1], {"access-key": "a-guess"}),
    (images[:1], {}),
    (images[:1, 0], {"access-key": key}),
):
    try:
        ask(given, **headers)
    except client.InferenceServerException as error:
        refused.append(str(error))
print(json.dumps([answers, refused]))
"""


@pytest.fixture(scope="module")
def repository(render: Render, program: Program) -> Path:
    """A repository with a trained model, and two versions of it for Triton."""
    repository = render(package="digits", exports=["onnx", "triton"])
    program(repository, "digits.train", "--device=cpu", "--epochs=4", "--output=runs/digits")
    for version in ("1", "2"):
        options = ("--checkpoint", "runs/digits/best.pt", "--out", "exports/triton")
        program(repository, "digits.export", "triton", *options, "--model-version", version)
    return repository


@pytest.fixture(scope="module")
def eager(repository: Path, environment: dict[str, str]) -> tuple[list[Any], list[list[float]]]:
    """Digits, and what the model says about them."""
    return eager_answers(repository, repository / "runs/digits/best.pt", environment)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folders with the server and with its Python, as PATH has them."""
    # The server's Python backend cannot read what numpy 2 makes.
    lines = CONSTRAINTS.read_text().splitlines()
    (onnxruntime,) = [line for line in lines if line.startswith("onnxruntime==")]
    requirements = ["nvidia-pytriton==0.7.0", "numpy<2", onnxruntime]
    python = python_with("triton", requirements, constrained=False)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    packages = python.parents[1] / "lib" / f"python{version}" / "site-packages"
    server = packages / "pytriton" / "tritonserver"

    folder = tmp_path_factory.mktemp("tritonserver")
    backends = folder / "backends"
    shutil.copytree(server / "backends", backends)
    stubs = server / "python_backend_stubs" / version
    if not stubs.is_dir():
        pytest.skip(f"the wheel has no Python backend for Python {version}")
    for stub in stubs.iterdir():
        Path(shutil.copy(stub, backends / "python")).chmod(0o755)
    (backends / "onnxruntime").mkdir()
    shutil.copy(BACKEND, backends / "onnxruntime" / "model.py")
    libraries = f"{packages / 'nvidia_pytriton.libs'}:{sysconfig.get_config_var('LIBDIR')}"
    (server / "bin" / "tritonserver").chmod(0o755)
    start = folder / "tritonserver"
    start.write_text(
        f"#!/bin/sh\nexport LD_LIBRARY_PATH='{libraries}'\n"
        f"exec '{server}/bin/tritonserver' --backend-directory='{backends}' \"$@\"\n"
    )
    start.chmod(0o755)
    return f"{folder}:{python.parent}"


class Triton(Served):
    """Triton on free ports."""

    def __init__(
        self, repository: Path, environment: dict[str, str], programs: str, scratch: Path
    ) -> None:
        self.port, self.grpc, metrics = self.ports = free_ports(3)
        kept = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
        variables = {
            "PATH": f"{programs}:{environment['PATH']}",
            "TRITON_KEY": KEY,
            "TRITON_HTTP_PORT": str(self.port),
            "TRITON_GRPC_PORT": str(self.grpc),
            "TRITON_METRICS_PORT": str(metrics),
        }
        script, models = "serve/triton/start", repository / "exports" / "triton"
        super().__init__(script, models, repository, kept | variables, scratch, self._answers)

    def _answers(self) -> bool:
        try:
            return ask(self.port, "GET", "/v2/health/ready")[0] == 200
        except OSError:
            return False


@pytest.fixture(scope="module")
def server(
    repository: Path,
    environment: dict[str, str],
    programs: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Triton]:
    """The server that most tests share."""
    scratch = tmp_path_factory.mktemp("triton")
    with Triton(repository, environment, programs, scratch) as server:
        yield server


def request_of(images: list[Any], **output: Any) -> dict[str, Any]:
    """Return the request for some images."""
    shape = [len(images), 1, 8, 8]
    given = {"name": "images", "datatype": "FP32", "shape": shape, "data": images}
    return {"inputs": [given], "outputs": [{"name": "logits", **output}]}


def logits_of(answer: Any) -> list[list[float]]:
    """Return the rows of an answer."""
    (output,) = answer["outputs"]
    values, columns = output["data"], output["shape"][1]
    return [values[start : start + columns] for start in range(0, len(values), columns)]


def test_a_hundred_digits_get_the_models_answers_over_http(
    server: Triton, eager: tuple[list[Any], list[list[float]]]
) -> None:
    images, expected = eager
    for path in ("/v2/models/digits/infer", "/v2/models/digits/versions/1/infer"):
        answers = [ask(server.port, "POST", path, request_of([one]), HEADER) for one in images]
        assert len(answers) == COUNT
        assert {status for status, _ in answers} == {200}
        difference = greatest_difference(
            [logits_of(answer)[0] for _, answer in answers],
            expected,
        )
        print(f"Triton, HTTP: greatest difference of {COUNT} digits {difference:.1e}")
        assert difference <= 1e-4

    path = "/v2/models/digits/infer"
    status, answer = ask(server.port, "POST", path, request_of(images[:64]), HEADER)
    assert status == 200
    assert answer["model_version"] == "2"
    assert greatest_difference(logits_of(answer), expected[:64]) <= 1e-4


def test_the_labels_are_the_digits(
    server: Triton, eager: tuple[list[Any], list[list[float]]]
) -> None:
    images, expected = eager
    best = request_of(images[:20], parameters={"classification": 1})
    _, answer = ask(server.port, "POST", "/v2/models/digits/infer", best, HEADER)

    labels = [text.rpartition(":")[2] for text in answer["outputs"][0]["data"]]
    assert labels == [str(row.index(max(row))) for row in expected[:20]]


def test_grpc_answers_and_refuses_the_same(
    server: Triton, eager: tuple[list[Any], list[list[float]]]
) -> None:
    images, expected = eager
    command = [sys.executable, "-c", GRPC, str(server.grpc), KEY]
    result = subprocess.run(
        command, input=json.dumps(images), capture_output=True, text=True, check=True, timeout=300
    )

    answers, refused = json.loads(result.stdout)
    difference = greatest_difference(answers, expected)
    print(f"Triton, gRPC: greatest difference of {COUNT} digits {difference:.1e}")
    assert difference <= 1e-4
    wrong_key, no_key, wrong_shape = refused
    assert "This protocol is restricted" in wrong_key
    assert "This protocol is restricted" in no_key
    assert "[1,8,8]" in wrong_shape


def test_without_the_key_there_is_no_answer(
    server: Triton, eager: tuple[list[Any], list[list[float]]]
) -> None:
    body = request_of(eager[0][:1])
    for headers in ({}, {"access-key": "a-guess"}, {"access-key": ""}):
        for method, path, content in (
            ("POST", "/v2/models/digits/infer", body),
            ("GET", "/v2/models/digits", None),
            ("GET", "/v2/models/digits/config", None),
            ("GET", "/v2/models/digits/stats", None),
            ("POST", "/v2/repository/index", {}),
            ("POST", "/v2/repository/models/digits/unload", {}),
        ):
            status, answer = ask(server.port, method, path, content, headers)
            assert status == 403, path
            assert "restricted" in answer["error"]
    assert ask(server.port, "GET", "/v2/health/ready")[0] == 200


def test_a_wrong_shape_is_told_and_the_server_goes_on(
    server: Triton, eager: tuple[list[Any], list[list[float]]]
) -> None:
    path, good = "/v2/models/digits/infer", request_of(eager[0][:1])
    wrong = request_of(eager[0][:1])
    wrong["inputs"][0]["shape"] = [1, 64]
    status, answer = ask(server.port, "POST", path, wrong, HEADER)
    assert status == 400
    assert "Expected [-1,1,8,8], got [1,64]" in answer["error"]

    status, answer = ask(server.port, "POST", path, request_of(eager[0][:65]), HEADER)
    assert status == 400
    assert "batch-size must be <= 64" in answer["error"]

    assert ask(server.port, "POST", path, good, HEADER)[0] == 200


def test_the_model_is_as_its_configuration_says(server: Triton) -> None:
    _, config = ask(server.port, "GET", "/v2/models/digits/config", headers=HEADER)
    assert config["backend"] == "onnxruntime"
    assert config["max_batch_size"] == 64
    assert config["dynamic_batching"]["max_queue_delay_microseconds"] == 500
    assert [one["batch_size"] for one in config["model_warmup"]] == [1, 64]
    _, model = ask(server.port, "GET", "/v2/models/digits", headers=HEADER)
    assert model["versions"] == ["1", "2"]


def test_it_listens_to_this_machine_alone(server: Triton) -> None:
    for port in server.ports:
        assert listeners(port)
        assert listeners(port) <= LOOPBACK, port


def test_the_clients_ask_and_load_it(
    server: Triton, repository: Path, program: Program, environment: dict[str, str]
) -> None:
    options = [f"--url=http://127.0.0.1:{server.port}"]

    def run(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", *arguments, *options],
            cwd=repository,
            env=environment | {"TRITON_KEY": KEY},
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        ).stdout

    assert "image 0, which is a 0\n0: " in run("serve.predict", "triton")
    for batch in ("1", "16"):
        printed = run("serve.load_test", "triton", "--clients=4", "--seconds=2", "--batch", batch)
        print(printed)
        figures = figures_of(printed)
        assert figures["answered"] >= 4
        assert figures["errors"] == 0
        assert figures["right"] > 90
        assert 0 < figures["p50"] <= figures["p95"] <= figures["p99"]

    # The four clients of before came together in batches, which is what dynamic batching is for.
    _, found = ask(server.port, "GET", "/v2/models/digits/versions/2/stats", headers=HEADER)
    (statistics,) = found["model_stats"]
    assert statistics["execution_count"] < statistics["inference_stats"]["success"]["count"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_of_it(
    number: signal.Signals,
    repository: Path,
    environment: dict[str, str],
    programs: str,
    tmp_path: Path,
) -> None:
    with Triton(repository, environment, programs, tmp_path) as server:
        assert len(server.left()) >= 2, "the server, and the stubs of its backend"

        assert server.stop(number) == 0

        assert not any(listeners(port) for port in server.ports)
