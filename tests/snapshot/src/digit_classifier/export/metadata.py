"""What travels with an artefact: whoever gets it alone can feed it, and find where it came from."""

import os
import subprocess
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..data import LABELS, PREPROCESSING
from ..errors import InputError
from .subject import INPUT, OUTPUT, Subject

# Count it up when the form of the metadata changes.
FORMAT = 1

PACKAGE = __package__.partition(".")[0]
"""Name of the project's package, and so of its model."""

FILE = "metadata.json"
"""Name of the metadata where they are a file of their own, inside an artefact or in its folder."""


def describe(subject: Subject) -> dict[str, Any]:
    """Return the metadata, ready for JSON."""
    example = subject.example()
    with torch.inference_mode():
        output = subject.model(example)
    if output.shape[1] != len(LABELS):
        raise InputError(
            f"The model has {output.shape[1]} outputs, and src/{PACKAGE}/data.py labels for "
            f"{len(LABELS)} classes."
        )
    return {
        "format": FORMAT,
        "name": PACKAGE,
        "inputs": [_tensor(INPUT, example)],
        "outputs": [_tensor(OUTPUT, output)],
        "labels": list(LABELS),
        "preprocessing": PREPROCESSING,
        "checkpoint": {
            "file": subject.path.name,
            "sha256": subject.sha256,
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
    # Installed into the environment of another repository, it is none of that one's commits.
    tracked = _git_says("ls-files", "--error-unmatch", "--", __file__)
    commit = _git_says("rev-parse", "HEAD")
    if tracked is None or commit is None:
        return None
    changes = _git_says("status", "--porcelain", "--", ".")
    return {"commit": commit, "dirty": bool(changes)}


def _git_says(*arguments: str) -> str | None:
    command = ["git", "-C", str(Path(__file__).parent.parent), *arguments]
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            check=True,
            # A git hook says in its environment which repository it is about.
            env={name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        )
    except (OSError, subprocess.CalledProcessError) as _:
        # No git, no repository, or one without a commit.
        return None
    return answer.stdout.strip()
