"""TorchServe for real: what generated repositories export, start, ask and stop."""

from __future__ import annotations

import json
import shutil
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from .own_environment import python_with
from .ports import free_ports
from .served_model import (
    COUNT,
    LOOPBACK,
    TASKS,
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
    from pathlib import Path

    from .conftest import Program, Render

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("java") is None, reason="java is not installed"),
]

PATHS = {task: f"/predictions/{task}" for task in TASKS}
PATH = PATHS["sequence"]
BODY = {"tokens": [[1, 40, 41]], "padding_mask": [[False, False, False]]}


@pytest.fixture(scope="module")
def repositories(render: Render, program: Program) -> dict[str, Path]:
    """A repository of each task with a trained model; the archives of all are in one folder."""
    found = {
        task: render(package=task, task=task, exports=["torch-export", "torchserve"])
        for task in TASKS
    }
    for task, repository in found.items():
        train_small(repository, task, program)
        options = ("--checkpoint", f"runs/{task}/best.pt", "--out", "exports/torchserve")
        program(repository, f"{task}.export", "torchserve", *options)
    archive = found["digits"] / "exports/torchserve/digits.mar"
    shutil.copy(archive, found["sequence"] / "exports/torchserve")
    return found


@pytest.fixture(scope="module")
def repository(repositories: dict[str, Path]) -> Path:
    """The repository that the server is started in."""
    return repositories["sequence"]


class TorchServe(Served):
    """TorchServe on free ports."""

    def __init__(
        self,
        repository: Path,
        environment: dict[str, str],
        scratch: Path,
        port: int | None = None,
    ) -> None:
        python = python_with("torchserve", ["torchserve==0.12.0", "pyyaml", "numpy", "torch"])
        self.ports = free_ports(5) if port is None else [port, *free_ports(4)]
        self.port, self.management, *others = self.ports
        self.run = scratch / "run"
        variables = {
            "PATH": f"{python.parent}:{environment['PATH']}",
            "TORCHSERVE_RUN": str(self.run),
            "TS_INFERENCE_ADDRESS": f"http://127.0.0.1:{self.port}",
            "TS_MANAGEMENT_ADDRESS": f"http://127.0.0.1:{self.management}",
            "TS_METRICS_ADDRESS": f"http://127.0.0.1:{others[0]}",
            "TS_GRPC_INFERENCE_PORT": str(others[1]),
            "TS_GRPC_MANAGEMENT_PORT": str(others[2]),
        }
        del environment["PYTHONPATH"]
        super().__init__(
            "serve/torchserve/start",
            repository / "exports" / "torchserve",
            repository,
            environment | variables,
            scratch,
            self._answers,
        )

    def key(self, kind: str = "inference") -> dict[str, str]:
        """Return the header that a request of this kind brings."""
        keys = json.loads((self.run / "key_file.json").read_text())
        return {"Authorization": f"Bearer {keys[kind]['key']}"}

    def _answers(self) -> bool:
        try:
            (self.run / "key_file.json").stat()
            blank = {"images": [[[[0] * 8] * 8]]}
            return (
                ask(self.port, "POST", PATH, BODY, self.key())[0] == 200
                and ask(self.port, "POST", PATHS["digits"], blank, self.key())[0] == 200
            )
        except (OSError, ValueError):
            return False


@pytest.fixture(scope="module")
def server(
    repository: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TorchServe]:
    """The server that most tests share."""
    with TorchServe(repository, dict(environment), tmp_path_factory.mktemp("torchserve")) as server:
        yield server


@pytest.mark.parametrize("task", TASKS)
def test_samples_get_the_models_answers(
    task: str, server: TorchServe, repositories: dict[str, Path], environment: dict[str, str]
) -> None:
    path, differences = PATHS[task], []
    samples = eager_answers(repositories[task], task, environment)
    assert len(samples) == COUNT + 1
    for inputs, outputs in samples:
        status, answer = ask(server.port, "POST", path, inputs, server.key())
        assert status == 200, answer
        differences.append(greatest_difference(answer, outputs))
    print(f"TorchServe, {task}: greatest difference of {COUNT} samples {max(differences):.1e}")
    assert max(differences) <= 1e-5


def test_without_the_right_key_there_is_no_answer(server: TorchServe) -> None:
    wrong = {"Authorization": "Bearer a-guess"}
    for headers in ({}, wrong, server.key("management"), server.key("API")):
        status, answer = ask(server.port, "POST", PATH, BODY, headers)
        assert status == 400
        assert answer["type"] == "InvalidKeyException"
        assert "output" not in answer
    assert ask(server.port, "GET", "/ping", headers=wrong)[0] == 400
    assert ask(server.management, "GET", "/models", headers=wrong)[0] == 400


def test_nobody_adds_a_model_over_the_network(server: TorchServe) -> None:
    path = "/models?url=http://127.0.0.1:1/other.mar"
    assert ask(server.management, "POST", path, headers=server.key("management"))[0] == 405


def test_wrong_inputs_are_refused_and_the_server_goes_on(server: TorchServe) -> None:
    for wrong, complaint in (
        ({"tokens": [1, 2, 3]}, "tokens must be of shape (batch: 1 or more, length: 1 to "),
        ({"tokens": [[1, 2]]}, "length is 3 in padding_mask, and 2 before it."),
        ({"tokens": [[1.5, 2, 3]]}, "tokens must be lists of integers, all of one length."),
        ({"tokens": [[1, 2, 10**6]]}, "The model refuses these inputs: "),
    ):
        status, answer = ask(server.port, "POST", PATH, BODY | wrong, server.key())
        assert status == 400
        assert answer["error"].startswith(complaint)

    assert ask(server.port, "POST", PATH, BODY, server.key())[0] == 200


def test_it_listens_to_this_machine_alone(server: TorchServe) -> None:
    for port in server.ports:
        assert listeners(port)
        assert listeners(port) <= LOOPBACK, port


def test_the_clients_ask_and_load_it(
    server: TorchServe, repository: Path, program: Program
) -> None:
    options = [f"--url=http://127.0.0.1:{server.port}", f"--key-file={server.run}/key_file.json"]

    printed = program(repository, "serve.predict", "torchserve", *options)
    assert "output, of shape (1, " in printed
    assert float(printed.split()[-1]) <= 1e-5

    for batch in ("1", "8"):
        load = ("--clients=4", "--seconds=3", "--batch", batch)
        printed = program(repository, "serve.load_test", "torchserve", *load, *options)
        print(printed)
        figures = figures_of(printed)
        assert figures["answered"] >= 4
        assert figures["errors"] == 0
        assert figures["differs"] <= 1e-4
        assert 0 < figures["p50"] <= figures["p95"] <= figures["p99"]


# Last of those that share the server: it ends the key that the others have.
def test_a_key_is_renewed(server: TorchServe) -> None:
    old = server.key()

    path = "/token?type=inference"
    status, _ = ask(server.management, "GET", path, headers=server.key("API"))

    assert status == 200
    assert server.key() != old
    assert ask(server.port, "POST", PATH, BODY, old)[0] == 400
    assert ask(server.port, "POST", PATH, BODY, server.key())[0] == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all_of_it(
    number: signal.Signals, repository: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    with TorchServe(repository, dict(environment), tmp_path) as server:
        assert len(server.left()) >= 4, "the script, its launcher, Java and a worker"

        assert server.stop(number) == 0

        assert not any(listeners(port) for port in server.ports)
        assert not (server.run / "key_file.json").exists()


def test_a_start_that_fails_says_so(
    repository: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = TorchServe(repository, dict(environment), tmp_path, port)
        try:
            status = server.end()
        finally:
            server.kill()
    assert status == 1
    assert "error: TorchServe has ended" in server.printed()
    assert not any(listeners(port) for port in server.ports)
