"""The export to torch.export's own format."""

import json
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
