"""The command that installs something, in the words of this machine's package manager."""

from __future__ import annotations

import os
import platform
import shutil

# The command of each package manager; the first manager that the machine has is used.
_COMMANDS = {
    "apt-get": "apt-get install -y",
    "dnf": "dnf install -y",
    "zypper": "zypper install -y",
    "pacman": "pacman -S --noconfirm",
    "apk": "apk add",
    "brew": "brew install",
}
_PACKAGES = {
    "git": dict.fromkeys(_COMMANDS, "git"),
    "tmux": dict.fromkeys(_COMMANDS, "tmux"),
    "c++": {
        "apt-get": "g++",
        "dnf": "gcc-c++",
        "zypper": "gcc-c++",
        "pacman": "gcc",
        "apk": "g++",
    },
    "java": {
        "apt-get": "openjdk-17-jre-headless",
        "dnf": "java-17-openjdk-headless",
        "zypper": "java-17-openjdk-headless",
        "pacman": "jre17-openjdk-headless",
        "apk": "openjdk17-jre-headless",
        "brew": "openjdk@17",
    },
    "slurm": {"apt-get": "slurm-wlm", "zypper": "slurm"},
    "docker": {
        "apt-get": "docker.io",
        "dnf": "podman",
        "zypper": "docker",
        "pacman": "docker",
        "apk": "docker",
    },
    # Debian's docker-compose is a program of its own in some releases and the plugin in others.
    "compose": {"pacman": "docker-compose", "apk": "docker-cli-compose", "brew": "docker-compose"},
    "nvidia-container-toolkit": {"pacman": "nvidia-container-toolkit"},
}
# What no package manager of the machine has, or not under a name that is the same everywhere.
_ELSEWHERE = {
    ("c++", "brew"): "xcode-select --install",
    ("docker", "brew"): "brew install --cask docker",
}
_SENTENCES = {
    "slurm": "Ask the administrators of the cluster; Slurm runs on its machines.",
    "compose": "Install Docker's plugin compose, as Docker's manual describes.",
    "nvidia-container-toolkit": (
        "Install the NVIDIA Container Toolkit, as its manual describes, then restart "
        "the container engine."
    ),
}


def install(thing: str) -> str:
    """The command that installs a thing here, or a sentence where no command can."""
    manager = next((name for name in _COMMANDS if shutil.which(name)), None)
    if manager and (command := _ELSEWHERE.get((thing, manager))):
        return command
    if manager and (package := _PACKAGES[thing].get(manager)):
        command = f"{_COMMANDS[manager]} {package}"
        return command if manager == "brew" or os.geteuid() == 0 else f"sudo {command}"
    if sentence := _SENTENCES.get(thing):
        return sentence
    return f"Install {thing} with the package manager of this {platform.system()}."
