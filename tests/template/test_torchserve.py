"""TorchServe for real: what the generated repository exports, starts, asks and stops."""

from __future__ import annotations

import json
import shutil
import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest

from .own_environment import python_with
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
    from pathlib import Path

    from .conftest import Program, Render

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("java") is None, reason="java is not installed"),
]

PATH = "/predictions/digits"


@pytest.fixture(scope="module")
def repository(render: Render, program: Program) -> Path:
    """A repository with a trained model and its archive."""
    repository = render(package="digits", exports=["torch-export", "torchserve"])
    program(repository, "digits.train", "--device=cpu", "--epochs=4", "--output=runs/digits")
    options = ("--checkpoint", "runs/digits/best.pt", "--out", "exports/torchserve")
    program(repository, "digits.export", "torchserve", *options)
    return repository


@pytest.fixture(scope="module")
def eager(repository: Path, environment: dict[str, str]) -> tuple[list[Any], list[list[float]]]:
    """Digits, and what the model says about them."""
    return eager_answers(repository, repository / "runs/digits/best.pt", environment)


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
            return ask(self.port, "POST", PATH, blank, self.key())[0] == 200
        except (OSError, ValueError):
            return False


@pytest.fixture(scope="module")
def server(
    repository: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TorchServe]:
    """The server that most tests share."""
    with TorchServe(repository, dict(environment), tmp_path_factory.mktemp("torchserve")) as server:
        yield server


def test_a_hundred_digits_get_the_models_answers(
    server: TorchServe, eager: tuple[list[Any], list[list[float]]]
) -> None:
    images, expected = eager
    answers = [ask(server.port, "POST", PATH, {"images": [one]}, server.key()) for one in images]

    assert len(answers) == COUNT
    assert {status for status, _ in answers} == {200}
    logits = [answer["logits"][0] for _, answer in answers]
    difference = greatest_difference(logits, expected)
    print(f"TorchServe: greatest difference of {COUNT} digits {difference:.1e}")
    assert difference <= 1e-5
    labels = [str(row.index(max(row))) for row in expected]
    assert [answer["labels"] for _, answer in answers] == [[label] for label in labels]

    status, answer = ask(server.port, "POST", PATH, {"images": images}, server.key())
    assert status == 200
    assert greatest_difference(answer["logits"], expected) <= 1e-5
    assert answer["labels"] == labels


def test_without_the_right_key_there_is_no_answer(server: TorchServe) -> None:
    body = {"images": [[[[0] * 8] * 8]]}
    wrong = {"Authorization": "Bearer a-guess"}
    for headers in ({}, wrong, server.key("management"), server.key("API")):
        status, answer = ask(server.port, "POST", PATH, body, headers)
        assert status == 400
        assert answer["type"] == "InvalidKeyException"
        assert "logits" not in answer
    assert ask(server.port, "GET", "/ping", headers=wrong)[0] == 400
    assert ask(server.management, "GET", "/models", headers=wrong)[0] == 400


def test_nobody_adds_a_model_over_the_network(server: TorchServe) -> None:
    path = "/models?url=http://127.0.0.1:1/other.mar"
    assert ask(server.management, "POST", path, headers=server.key("management"))[0] == 405


def test_a_wrong_shape_is_told_and_the_server_goes_on(server: TorchServe) -> None:
    wrong = {"images": [[[0] * 8] * 8]}
    status, answer = ask(server.port, "POST", PATH, wrong, server.key())
    assert status == 400
    assert answer == {"error": "images must be of shape (1 or more, 1, 8, 8); it is (1, 8, 8)."}

    body = {"images": [[[[0] * 8] * 8]]}
    assert ask(server.port, "POST", PATH, body, server.key())[0] == 200


def test_it_listens_to_this_machine_alone(server: TorchServe) -> None:
    for port in server.ports:
        assert listeners(port)
        assert listeners(port) <= LOOPBACK, port


def test_the_clients_ask_and_load_it(
    server: TorchServe, repository: Path, program: Program
) -> None:
    options = [f"--url=http://127.0.0.1:{server.port}", f"--key-file={server.run}/key_file.json"]

    printed = program(repository, "serve.predict", "torchserve", *options)
    assert "image 0, which is a 0\n0: " in printed

    load = ("--clients=4", "--seconds=3")
    printed = program(repository, "serve.load_test", "torchserve", *load, *options)
    print(printed)
    figures = figures_of(printed)
    assert figures["answered"] >= 4
    assert figures["errors"] == 0
    assert figures["right"] > 90
    assert 0 < figures["p50"] <= figures["p95"] <= figures["p99"]


# Last of those that share the server: it ends the key that the others have.
def test_a_key_is_renewed(server: TorchServe) -> None:
    body, old = {"images": [[[[0] * 8] * 8]]}, server.key()

    path = "/token?type=inference"
    status, _ = ask(server.management, "GET", path, headers=server.key("API"))

    assert status == 200
    assert server.key() != old
    assert ask(server.port, "POST", PATH, body, old)[0] == 400
    assert ask(server.port, "POST", PATH, body, server.key())[0] == 200


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
    assert "error: TorchServe has ended" in server.told()
    assert not any(listeners(port) for port in server.ports)
