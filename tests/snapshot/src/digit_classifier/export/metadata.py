"""What travels with an artefact: whoever gets it alone can feed it, and find where it came from."""

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..data import LABELS, PREPROCESSING
from .subject import INPUT, OUTPUT, Subject

# Count it up when the form of the metadata changes.
FORMAT = 1


def describe(subject: Subject) -> dict[str, Any]:
    """Return the metadata, ready for JSON."""
    example = subject.example()
    with torch.inference_mode():
        output = subject.model(example)
    return {
        "format": FORMAT,
        "name": __package__.partition(".")[0],
        "inputs": [_tensor(INPUT, example)],
        "outputs": [_tensor(OUTPUT, output)],
        "labels": list(LABELS),
        "preprocessing": PREPROCESSING,
        "checkpoint": {
            "file": str(subject.path),
            "sha256": hashlib.sha256(subject.path.read_bytes()).hexdigest(),
            "epoch": subject.weights.epoch,
        },
        "git": _git(),
        "torch": str(torch.__version__),
    }


def _tensor(name: str, example: Tensor) -> dict[str, Any]:
    dtype = str(example.dtype).removeprefix("torch.")
    return {"name": name, "dtype": dtype, "shape": ["batch", *example.shape[1:]]}


def _git() -> dict[str, Any] | None:
    """Return the commit of this code, and whether more than that commit is in it."""
    commit = _git_says("rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _git_says("status", "--porcelain", "--", ".")
    return {"commit": commit, "dirty": bool(changes)}


def _git_says(*arguments: str) -> str | None:
    command = ["git", "-C", str(Path(__file__).parent.parent), *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    except (OSError, subprocess.CalledProcessError) as _:
        # No git, no repository, or one without a commit.
        return None
    return answer.stdout.strip()
