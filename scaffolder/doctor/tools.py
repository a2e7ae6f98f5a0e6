"""The programs that a repository's commands and scripts call."""

from __future__ import annotations

import re
import shutil

from scaffolder.doctor.finding import Finding
from scaffolder.doctor.packages import install
from scaffolder.doctor.program import ask

_OLDEST_JAVA = 17  # TorchServe 0.12 wants it


def check_git() -> Finding:
    """Git, which every repository and update needs."""
    purpose = "making repositories and updating them"
    answer = ask("git", "--version")
    if answer is None:
        return Finding("git", "problem", "not installed", purpose, install("git"))
    if not answer.succeeded:
        return Finding("git", "problem", answer.last_line, purpose, install("git"))
    return Finding("git", "ok", answer.version, purpose)


def check_tmux() -> Finding:
    """Tmux, in which training outlives the terminal."""
    purpose = "training that outlives the terminal (scripts/train_tmux.py)"
    answer = ask("tmux", "-V")
    if answer is None:
        return Finding("tmux", "missing", "not installed", purpose, install("tmux"))
    if not answer.succeeded:
        return Finding("tmux", "problem", answer.last_line, purpose, install("tmux"))
    return Finding("tmux", "ok", answer.text.split()[-1], purpose)


def check_slurm() -> Finding:
    """Slurm: its commands, and whether the cluster's controller answers."""
    purpose = "training on a cluster (scripts/train.sbatch)"
    answer = ask("sbatch", "--version")
    if answer is None:
        return Finding("Slurm", "missing", "not installed", purpose, install("slurm"))
    controller = ask("scontrol", "ping")
    # Without a configuration, it does not even print its version.
    if not answer.succeeded or controller is None or " UP" not in controller.text:
        return Finding(
            "Slurm",
            "missing",
            "installed, but no controller answers",
            purpose,
            "Train on a login node of the cluster; `scontrol ping` must say UP there.",
        )
    return Finding("Slurm", "ok", f"{answer.version}, the controller answers", purpose)


def check_java() -> Finding:
    """Java, in which TorchServe runs."""
    purpose = f"serving by TorchServe, which needs Java {_OLDEST_JAVA} or newer"
    answer = ask("java", "-version")
    if answer is None:
        return Finding("Java", "missing", "not installed", purpose, install("java"))
    if not answer.succeeded:
        return Finding("Java", "missing", answer.last_line, purpose, install("java"))
    found = re.search(r'version "(?:1\.)?(\d+)', answer.text)
    if found is None or int(found[1]) < _OLDEST_JAVA:
        return Finding("Java", "missing", f"{answer.version}, too old", purpose, install("java"))
    return Finding("Java", "ok", answer.version or found[1], purpose)


def check_compiler() -> Finding:
    """A C++ compiler, which torch.compile calls on a CPU."""
    purpose = "torch.compile on a CPU, and AOTInductor"
    for compiler in ("g++", "clang++", "c++"):
        answer = ask(compiler, "--version")
        if answer is not None and answer.succeeded:
            return Finding("C++ compiler", "ok", f"{compiler} {answer.version}", purpose)
    return Finding("C++ compiler", "missing", "not installed", purpose, install("c++"))


def check_shared_memory() -> Finding | None:
    """The size of /dev/shm, through which DataLoader workers and NCCL pass tensors."""
    try:
        size = shutil.disk_usage("/dev/shm").total
    except OSError:
        return None  # no such thing, as on macOS
    name, purpose = "/dev/shm", "tensors between processes: DataLoader workers, NCCL"
    # Container engines give 64 MiB by default, with which both die of a bus error.
    if size <= 64 * 2**20:
        hint = "Start the container with --shm-size=8g or --ipc=host."
        return Finding(name, "problem", f"{size / 2**20:.0f} MiB", purpose, hint)
    return Finding(name, "ok", f"{size / 2**30:.1f} GiB", purpose)
