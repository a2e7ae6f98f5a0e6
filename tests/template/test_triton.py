"""Triton for real: the unmodified repositories that projects export, loaded, asked and refused.

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
    TASKS,
    Answer,
    Served,
    ask,
    eager_answers,
    figures_of,
    greatest_difference,
    listeners,
    train_small,
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

PATHS = {task: f"/v2/models/{task}" for task in TASKS}
PATH = PATHS["sequence"]
DATATYPES = {"tokens": "INT64", "padding_mask": "BOOL", "images": "FP32"}
BODY = {
    "inputs": [
        {"name": "tokens", "datatype": "INT64", "shape": [1, 3], "data": [1, 40, 41]},
        {"name": "padding_mask", "datatype": "BOOL", "shape": [1, 3], "data": [False] * 3},
    ]
}

# A client of gRPC; it prints the outputs for each sample, then how the server refuses a wrong key,
# no key and a wrong shape.
GRPC = """
import json, sys
import numpy, tritonclient.grpc as client
port, key, task = sys.argv[1:]
datatypes, samples = json.load(sys.stdin)
dtypes = {"INT64": "int64", "BOOL": "bool", "FP32": "float32"}
server = client.InferenceServerClient(f"127.0.0.1:{port}")
def ask(inputs, **headers):
    given = []
    for name, values in inputs.items():
        array = numpy.array(values, dtypes[datatypes[name]])
        given.append(client.InferInput(name, array.shape, datatypes[name]))
        given[-1].set_data_from_numpy(array)
    named = {f"triton-grpc-protocol-{name}": value for name, value in headers.items()}
    answer = server.infer(task, given, headers=named)
    return {one.name: answer.as_numpy(one.name).tolist() for one in answer.get_response().outputs}
answers = [ask(inputs, **{"access-key": key}) for inputs in samples]
refused = []
for given, headers in (
    (samples[0], {"access-key": "a-guess"}),
    (samples[0], {}),
    ({name: values[0] for name, values in samples[0].items()}, {"access-key": key}),
):
    try:
        ask(given, **headers)
    except client.InferenceServerException as error:
        refused.append(str(error))
print(json.dumps([answers, refused]))
"""


@pytest.fixture(scope="module")
def repositories(render: Render, program: Program) -> dict[str, Path]:
    """A repository of each task with a trained model, the models of all in one for Triton."""
    found = {task: render(package=task, task=task, exports=["onnx", "triton"]) for task in TASKS}
    for task, repository in found.items():
        train_small(repository, task, program)
        for version in ("1", "2") if task == "sequence" else ("1",):
            options = ("--checkpoint", f"runs/{task}/best.pt", "--out", "exports/triton")
            program(repository, f"{task}.export", "triton", *options, "--model-version", version)
    models = found["digits"] / "exports/triton/digits"
    shutil.copytree(models, found["sequence"] / "exports/triton/digits")
    return found


@pytest.fixture(scope="module")
def repository(repositories: dict[str, Path]) -> Path:
    """The repository that the server is started in."""
    return repositories["sequence"]


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


def request_of(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the request for some inputs."""
    given = [
        {"name": name, "datatype": DATATYPES[name], "shape": shape_of(values), "data": values}
        for name, values in inputs.items()
    ]
    return {"inputs": given}


def shape_of(values: Any) -> list[int]:
    """Return the shape of nested lists."""
    return [len(values), *shape_of(values[0])] if isinstance(values, list) else []


def flat(values: Any) -> list[Any]:
    """Return nested lists as one."""
    return [one for each in values for one in flat(each)] if isinstance(values, list) else [values]


def outputs_of(answer: Any) -> dict[str, Any]:
    """Return the numbers of an answer by name."""
    return {one["name"]: one["data"] for one in answer["outputs"]}


@pytest.fixture(scope="module")
def samples(repositories: dict[str, Path], environment: dict[str, str]) -> dict[str, list[Answer]]:
    """Samples of each task, and what the model returns for them."""
    return {task: eager_answers(one, task, environment) for task, one in repositories.items()}


@pytest.mark.parametrize("task", TASKS)
def test_samples_get_the_models_answers_over_http(
    task: str, server: Triton, samples: dict[str, list[Answer]]
) -> None:
    for path in (f"{PATHS[task]}/infer", f"{PATHS[task]}/versions/1/infer"):
        differences = []
        for inputs, outputs in samples[task]:
            status, answer = ask(server.port, "POST", path, request_of(inputs), HEADER)
            assert status == 200, answer
            expected = {name: flat(values) for name, values in outputs.items()}
            differences.append(greatest_difference(outputs_of(answer), expected))
        assert len(differences) == COUNT + 1
        print(f"Triton, HTTP, {task}: greatest difference {max(differences):.1e}")
        assert max(differences) <= 1e-4


@pytest.mark.parametrize("task", TASKS)
def test_grpc_answers_and_refuses_the_same(
    task: str, server: Triton, samples: dict[str, list[Answer]]
) -> None:
    command = [sys.executable, "-c", GRPC, str(server.grpc), KEY, task]
    given = json.dumps([DATATYPES, [inputs for inputs, _ in samples[task]]])
    result = subprocess.run(
        command, input=given, capture_output=True, text=True, check=True, timeout=300
    )

    answers, refused = json.loads(result.stdout)
    difference = max(
        greatest_difference(answer, outputs)
        for answer, (_, outputs) in zip(answers, samples[task], strict=True)
    )
    print(f"Triton, gRPC, {task}: greatest difference {difference:.1e}")
    assert difference <= 1e-4
    wrong_key, no_key, wrong_shape = refused
    assert "This protocol is restricted" in wrong_key
    assert "This protocol is restricted" in no_key
    assert "unexpected shape" in wrong_shape


def test_without_the_key_there_is_no_answer(server: Triton) -> None:
    for headers in ({}, {"access-key": "a-guess"}, {"access-key": ""}):
        for method, path, content in (
            ("POST", f"{PATH}/infer", BODY),
            ("GET", PATH, None),
            ("GET", f"{PATH}/config", None),
            ("GET", f"{PATH}/stats", None),
            ("POST", "/v2/repository/index", {}),
            ("POST", "/v2/repository/models/sequence/unload", {}),
        ):
            status, answer = ask(server.port, method, path, content, headers)
            assert status == 403, path
            assert "restricted" in answer["error"]
    assert ask(server.port, "GET", "/v2/health/ready")[0] == 200


def test_wrong_inputs_are_refused_and_the_server_goes_on(server: Triton) -> None:
    path, (tokens, mask) = f"{PATH}/infer", BODY["inputs"]
    many = [one | {"shape": [65, 3], "data": one["data"] * 65} for one in (tokens, mask)]
    for wrong, complaint in (
        ([tokens | {"shape": [3]}, mask], "'tokens'"),
        ([tokens | {"datatype": "FP32", "data": [0.5] * 3}, mask], "'tokens'"),
        ([tokens], "2 inputs"),
        (many, "batch-size must be <= 64"),
    ):
        status, answer = ask(server.port, "POST", path, {"inputs": wrong}, HEADER)
        assert status == 400, answer
        assert complaint in answer["error"]

    assert ask(server.port, "POST", path, BODY, HEADER)[0] == 200


def test_the_model_is_as_its_configuration_says(server: Triton) -> None:
    _, config = ask(server.port, "GET", f"{PATH}/config", headers=HEADER)
    assert config["backend"] == "onnxruntime"
    assert config["max_batch_size"] == 64
    assert config["dynamic_batching"]["max_queue_delay_microseconds"] == 500
    assert [one["batch_size"] for one in config["model_warmup"]] == [1, 64]
    _, model = ask(server.port, "GET", PATH, headers=HEADER)
    assert model["versions"] == ["1", "2"]
    assert [one["shape"] for one in model["inputs"]] == [[-1, -1], [-1, -1]]


def test_it_listens_to_this_machine_alone(server: Triton) -> None:
    for port in server.ports:
        assert listeners(port)
        assert listeners(port) <= LOOPBACK, port


@pytest.mark.parametrize("task", TASKS)
def test_the_clients_ask_and_load_it(
    task: str, server: Triton, repositories: dict[str, Path], environment: dict[str, str]
) -> None:
    def run(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", *arguments, f"--url=http://127.0.0.1:{server.port}"],
            cwd=repositories[task],
            env=environment | {"TRITON_KEY": KEY},
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        ).stdout

    printed = run("serve.predict", "triton")
    assert "output, of shape (1, " in printed
    assert float(printed.split()[-1]) <= 1e-4
    for batch in ("1", "8"):
        printed = run("serve.load_test", "triton", "--clients=4", "--seconds=2", "--batch", batch)
        print(printed)
        figures = figures_of(printed)
        assert figures["answered"] >= 4
        assert figures["errors"] == 0
        assert figures["differs"] <= 1e-4
        assert 0 < figures["p50"] <= figures["p95"] <= figures["p99"]

    if task == "digits":
        # The four clients came together in batches, which is what dynamic batching is for; texts
        # would do so only where they are of one length.
        path = f"{PATHS[task]}/versions/1/stats"
        _, found = ask(server.port, "GET", path, headers=HEADER)
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
