"""The export to torch.export's own format."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import RunExport

# A program of somebody who has the file and torch, and none of this project.
READER = """
import json, sys
import torch
extra = {"metadata.json": ""}
program = torch.export.load(sys.argv[1], extra_files=extra).module()
json.dump({
    "shapes": [list(program(torch.zeros(batch, 1, 8, 8)).shape) for batch in (1, 5)],
    "metadata": json.loads(extra["metadata.json"]),
}, sys.stdout)
"""


@pytest.mark.slow
def test_the_file_is_all_that_torch_needs(run_export: RunExport, tmp_path: Path) -> None:
    report = run_export("torch-export")

    reader = [sys.executable, "-c", READER, str(tmp_path / "out" / "model.pt2")]
    read = json.loads(subprocess.run(reader, capture_output=True, check=True).stdout)
    assert read["shapes"] == [[1, 10], [5, 10]]
    assert read["metadata"] == report["metadata"]
    assert report["greatest_difference"] <= 1e-6
    assert report["agreement"] == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX limits")
def test_a_full_disk_is_told_and_leaves_nothing(checkpoint: Path, tmp_path: Path) -> None:
    """A file that may not grow stands for a disk that is full: the error comes from one place."""
    out = tmp_path / "out"
    command = f"""
import resource, sys
from digit_classifier.command import run_command
from digit_classifier.export.__main__ import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
arguments = ["torch-export", "--checkpoint", {str(checkpoint)!r}, "--out", {str(out)!r}]
sys.exit(run_command(lambda: main(arguments)))
"""

    process = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, encoding="utf-8", check=False
    )

    assert process.returncode == 1, process.stderr
    assert process.stderr.splitlines() == ["error: File too large"]
    assert list(tmp_path.iterdir()) == []
