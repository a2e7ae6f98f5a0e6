"""Compiles a module of a rendered repository ahead of time, and runs what came out.

The test copies this file into the repository and runs it there, in two processes:

    python -m aotinductor_case write tests.layers.test_conv_block:TestConvBlock FOLDER
    python -m aotinductor_case run FOLDER
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import torch
from tests.module_contract.case import Case
from tests.module_contract.exporters import program_of
from tests.module_contract.tree import difference
from torch._inductor import aoti_compile_and_package, aoti_load_package

# The example has three samples: these are the sizes that only a free batch serves, and the last
# one is larger than anything that a compiler might take for a bound.
BATCHES = (1, 2, 5, 64)
TOLERANCE = 1e-4


def write(test: str, folder: Path) -> None:
    """Compile the module of a test class, and keep what it computes itself beside the package."""
    file, _, name = test.partition(":")
    case = Case(getattr(importlib.import_module(file), name)())
    module = case.build(training=False)
    with torch.no_grad():
        package = aoti_compile_and_package(
            program_of(case, module),
            package_path=str(folder / "model.pt2"),
        )
        samples = [(case.inputs(batch), case.inputs(batch)) for batch in BATCHES]
        answers = [(inputs, case.call(module, again)) for inputs, again in samples]
    torch.save(answers, folder / "answers.pt")
    print(package)


def run(folder: Path) -> None:
    """Ask the package the same, where nothing of the module is imported."""
    loaded = aoti_load_package(str(folder / "model.pt2"))
    for batch, (inputs, expected) in zip(BATCHES, torch.load(folder / "answers.pt"), strict=True):
        if text := difference(loaded(*inputs), expected, TOLERANCE):
            sys.exit(f"another output for a batch of {batch}: {text}")


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2], Path(sys.argv[3]))
    else:
        run(Path(sys.argv[2]))
