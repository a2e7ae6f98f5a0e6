"""What a run of the defaults keeps of its accuracy when it is quantized and pruned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Program, Render

# Of the 359 test images. Four would be over the point that an export may lose.
IMAGES_LOST = 2


@pytest.fixture(scope="module")
def run(render: Render, program: Program) -> Path:
    """A repository that has trained the model of its defaults to the end."""
    repository = render(package="digits", exports=["onnx", "torch-export", "quantize", "prune"])
    program(repository, "digits.train", "--device", "cpu", "--output-dir", "runs")
    return repository


@pytest.mark.slow
@pytest.mark.parametrize(
    "export",
    [
        ("quantize", "--method", "onnx"),
        ("quantize", "--method", "dynamic"),
        ("quantize", "--method", "weight-only"),
        ("prune",),
        ("prune", "--structured"),
    ],
    ids=" ".join,
)
def test_accuracy_stays_with_margin(
    export: tuple[str, ...],
    run: Path,
    program: Program,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    paths = ("--checkpoint", str(run / "runs" / "best.pt"), "--out", str(out))

    print(program(run, "digits.export", *export, *paths))

    report = json.loads((out / "export.json").read_text(encoding="utf-8"))
    before, after = (report["metrics"][side]["accuracy"] for side in ("before", "after"))
    assert report["samples"] == 359
    assert before > 0.97
    assert (before - after) * report["samples"] < IMAGES_LOST + 0.5
