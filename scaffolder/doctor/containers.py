"""A container engine: its client, its daemon, compose, and its way to the GPU."""

from __future__ import annotations

import os
from pathlib import Path

from scaffolder.doctor.finding import Finding
from scaffolder.doctor.packages import install
from scaffolder.doctor.program import Answer, ask

_PURPOSE = "the image (Dockerfile, compose.yaml, .devcontainer)"
_CDI_FOLDERS = (Path("/etc/cdi"), Path("/var/run/cdi"))


def check_containers(has_gpu: bool) -> list[Finding]:
    """Docker, or else podman; the NVIDIA runtime only where there is a GPU for it."""
    if client := ask("docker", "--version"):
        return _docker(client, has_gpu)
    if client := ask("podman", "--version"):
        return _podman(client, has_gpu)
    return [
        Finding("containers", "missing", "neither docker nor podman", _PURPOSE, install("docker"))
    ]


def _docker(client: Answer, has_gpu: bool) -> list[Finding]:
    compose = _compose("docker")
    info = ask("docker", "info", "--format", "{{json .}}")
    if info is None or not info.succeeded:
        found = f"docker {client.version}, but no engine answers"
        return [Finding("containers", "missing", found, _PURPOSE, _start(info)), compose]
    findings = [Finding("containers", "ok", f"docker {client.version}", _PURPOSE), compose]
    if has_gpu:
        findings.append(_runtime('"nvidia"' in info.text or "nvidia.com/gpu" in info.text))
    return findings


def _podman(client: Answer, has_gpu: bool) -> list[Finding]:
    findings = [Finding("containers", "ok", f"podman {client.version}", _PURPOSE)]
    findings.append(_compose("podman"))
    if has_gpu:
        findings.append(_runtime(any(list(folder.glob("nvidia*")) for folder in _CDI_FOLDERS)))
    return findings


def _compose(engine: str) -> Finding:
    answer = ask(engine, "compose", "version")
    purpose = "the services of compose.yaml"
    if answer is None or not answer.succeeded or not answer.version:
        return Finding("compose", "missing", "not installed", purpose, install("compose"))
    return Finding("compose", "ok", answer.version, purpose)


def _runtime(there: bool) -> Finding:
    name, purpose = "NVIDIA runtime", "the GPU in a container"
    if there:
        return Finding(name, "ok", "the engine knows it", purpose)
    hint = install("nvidia-container-toolkit")
    return Finding(name, "missing", "the engine does not know it", purpose, hint)


def _start(info: Answer | None) -> str:
    """What makes an engine answer: it may run, but not for this user."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    if info and "permission denied" in info.text.lower():
        return "sudo usermod -aG docker $USER, then log in again"
    return f"{sudo}systemctl start docker"
