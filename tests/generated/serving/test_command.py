"""``python -m PACKAGE.serve``: how it starts, what it refuses, and how it ends."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from digits.serving.server import GRACE_SECONDS, MAX_BYTES

from .client import BEARER, LIMIT, LOCAL, TOKEN, dripping, request, save_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = f"POST /predict HTTP/1.0\r\nContent-Length: {MAX_BYTES}\r\n"
AUTHORIZED_HEAD = f"{HEAD}Authorization: Bearer {TOKEN}\r\n\r\n".encode()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of digits."""
    return save_checkpoint("digits", tmp_path_factory.mktemp("digits"))


@contextlib.contextmanager
def command(
    checkpoint: Path,
    host: str = LOCAL,
    task: str = "digits",
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command until the caller is done; also give the address that it prints."""
    options = ["--checkpoint", str(checkpoint), "--host", host, "--port", "0", "--device", "cpu"]
    process = subprocess.Popen(
        [sys.executable, "-m", f"{task}.serve", *options],
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


def run(*arguments: str, **variables: str) -> tuple[int, str, str]:
    """Return how the command ends, and what it prints."""
    result = subprocess.run(
        [sys.executable, "-m", "digits.serve", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize("task", ["digits", "tabular", "sequence", "fourth"])
def test_each_task_is_served_until_a_signal_comes(task: str, tmp_path: Path) -> None:
    example: Any = importlib.import_module(f"{task}.task.requests").EXAMPLE
    number = signal.SIGINT if task == "tabular" else signal.SIGTERM
    with command(save_checkpoint(task, tmp_path), task=task) as (process, address):
        port = int(address.rpartition(":")[2])
        body = json.dumps({"inputs": [example, example]})
        status, answer = request(port, "POST", "/predict", body, BEARER)
        assert status == 200
        assert len(answer["predictions"]) == 2
        assert request(port, "POST", "/predict", body)[0] == 401
        wrong = json.dumps({"inputs": [example, "something else entirely \u0000" * 100]})
        status, answer = request(port, "POST", "/predict", wrong, BEARER)
        assert status == 400
        assert answer["error"].startswith("inputs[1]")
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
    """Return whether this machine has IPv6's loopback."""
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_the_loopback_of_ipv6_is_served(checkpoint: Path) -> None:
    with command(checkpoint, "::1") as (_, address):
        assert address.startswith("http://[::1]:")
        with urllib.request.urlopen(f"{address}/health", timeout=LIMIT) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_are_not_served_without_a_token(checkpoint: Path, host: str) -> None:
    options = ("--checkpoint", str(checkpoint), "--host", host, "--port", "0")

    status, _, printed = run(*options, SERVE_TOKEN="")

    assert status == 2
    assert printed.startswith("error: ")
    assert "SERVE_TOKEN" in printed
    assert printed.count("\n") == 1


def test_wrong_options_get_one_sentence(checkpoint: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pt"
    with socket.create_server((LOCAL, 0)) as taken:
        port = taken.getsockname()[1]
        for options, status, complaint in (
            (("--checkpoint", missing), 2, f"Cannot read {missing}: No such file or directory."),
            (("--checkpoint", missing, "--port", 65536), 2, "--port must be between 0 and 65535"),
            (
                ("--checkpoint", checkpoint, "--port", port),
                1,
                f"Cannot listen on {LOCAL}, port {port}: Address already in use",
            ),
            (("--checkpoint", checkpoint, "--host", "a" * 64), 2, "is not an address of this"),
            (("--checkpoint", checkpoint, "--host", "not an address"), 2, "is not an address of"),
            (("--checkpoint", checkpoint, "--device", "abacus"), 2, "'abacus'"),
        ):
            ended, _, printed = run(*map(str, options))
            assert ended == status, printed
            assert printed.startswith("error: ")
            assert complaint in printed
            assert printed.count("\n") == 1


PREPARED = "import sys\nsys.modules.update(dict.fromkeys({absent!r}))\n"


@pytest.mark.parametrize("arguments", [["--help"], ["--nonsense"], ["--port", "x"]])
def test_help_and_wrong_options_do_not_wait_for_torch(arguments: list[str]) -> None:
    script = PREPARED.format(absent=["torch", "numpy"]) + (
        f"import runpy\nsys.argv[1:] = {arguments!r}\n"
        "runpy.run_module('digits.serve', run_name='__main__')\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert result.returncode == (0 if arguments == ["--help"] else 2), result.stderr
    assert "Traceback" not in result.stderr
    assert "usage: python -m digits.serve" in result.stdout + result.stderr


@pytest.mark.parametrize("task", ["digits", "tabular", "sequence", "fourth"])
def test_the_server_needs_no_tools_of_training(task: str) -> None:
    # The image that serves has what the package requires, and none of its extras.
    script = PREPARED.format(absent=["matplotlib", "sklearn", "tensorboard", "tqdm", "tyro"]) + (
        f"import {task}.serve, {task}.serving.prediction\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert result.returncode == 0, result.stderr
