"""The torch of the repository's environment, examined from outside: it is never imported here."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaffolder.doctor.finding import Finding
from scaffolder.doctor.program import ask
from scaffolder.project import find_root

if TYPE_CHECKING:
    from scaffolder.doctor.gpu import Cards

_PURPOSE = "everything that a repository does"
# Runs in that environment. Reading the file of the version takes no time; importing torch does.
_READ = """
import importlib.util, json, pathlib, sys
found = importlib.util.find_spec("torch")
reported = {"python": sys.version.split()[0]}
if found and found.origin:
    exec(pathlib.Path(found.origin).with_name("version.py").read_text(), values := {})
    reported |= {name: values.get(name) for name in ("__version__", "cuda", "hip")}
print(json.dumps(reported))
"""
_COMPUTE = """
import torch
print(float(torch.ones(2, device="cuda").sum()))
"""


def check_torch(folder: Path, cards: Cards) -> list[Finding]:
    """Check Python, torch, and whether torch fits the driver.

    Args:
        folder: The current folder: a repository's own environment overrides others.
        cards: What the driver reported.
    """
    root = find_root(folder)
    python = environment_python(root)
    answer = ask(str(python), "-c", _READ)
    reported = _parse(answer.text) if answer and answer.succeeded else None
    if reported is None:
        reason = answer.last_line if answer else "not found"
        hint = "Create the environment again: python3 -m venv .venv"
        return [Finding("Python", "problem", f"{python}: {reason}", _PURPOSE, hint)]
    findings = [Finding("Python", "ok", f"{reported['python']} ({python})", _PURPOSE)]
    version = reported.get("__version__")
    if not version:
        return [*findings, _without_torch(needed=root is not None)]
    return [*findings, _fit(python, str(version), str(reported.get("cuda") or ""), cards)]


def environment_python(root: Path | None) -> Path:
    """The Python that the repository's commands run with, as far as can be seen from here."""
    environments = [root / ".venv"] if root else []
    if active := os.environ.get("VIRTUAL_ENV"):
        environments.append(Path(active))
    for environment in environments:
        # One whose Python has gone, as after an upgrade, is still the one that is meant.
        if environment.exists():
            return environment / "bin" / "python"
    # Not the one that runs this tool, which may have an environment of its own.
    return Path(shutil.which("python") or shutil.which("python3") or sys.executable)


def _without_torch(*, needed: bool) -> Finding:
    if needed:
        return Finding("torch", "problem", "not installed", _PURPOSE, "pip install -e '.[dev]'")
    hint = "Each repository brings its own: see the README of a new one."
    return Finding("torch", "missing", "not installed", _PURPOSE, hint)


def _fit(python: Path, version: str, cuda: str, cards: Cards) -> Finding:
    """Whether this build of torch and the driver can work together."""
    build = f"{version}, built for CUDA {cuda}" if cuda else f"{version}, built without CUDA"
    if not cards.cuda:
        return Finding("torch", "ok", build, _PURPOSE)
    if not cuda:
        hint = "Install a build with CUDA: the selector on PyTorch's website has the command."
        return Finding("torch", "problem", f"{build}: it cannot use the GPU", _PURPOSE, hint)
    # A driver runs every CUDA of its own major version and older ones.
    if int(cuda.split(".")[0]) > int(cards.cuda.split(".")[0]):
        return Finding(
            "torch",
            "problem",
            f"{build}, but the driver goes up to CUDA {cards.cuda}",
            _PURPOSE,
            f"Install a newer driver, or a build of torch for CUDA {cards.cuda.split('.')[0]}.x.",
        )
    answer = ask(str(python), "-c", _COMPUTE, slow=True)
    if answer is None or not answer.succeeded:
        reason = answer.last_line if answer else "it cannot be run"
        hint = "See `python -c 'import torch; torch.cuda.init()'`, and the driver's own log."
        return Finding("torch", "problem", f"{build}, but on the GPU: {reason}", _PURPOSE, hint)
    return Finding("torch", "ok", f"{build}, computes on the GPU", _PURPOSE)


def _parse(text: str) -> dict[str, Any] | None:
    try:
        reported = json.loads(text.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return None
    return reported if isinstance(reported, dict) and "python" in reported else None
