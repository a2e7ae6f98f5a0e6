"""What a run of the defaults keeps of its accuracy when it is quantized and pruned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Program, Render

# One point is what an export may lose; this is two of the 359 test images.
MARGIN = 0.006


@pytest.fixture(scope="module")
def run(render: Render, program: Program) -> Path:
    """A repository that has trained the model of its defaults to the end."""
    repository = render(package="digits")
    program(repository, "digits.train", "--device", "cpu", "--output", "runs")
    return repository


@pytest.mark.slow
@pytest.mark.parametrize(
    "export",
    [
        ("quantize", "--method", "onnx"),
        ("quantize", "--method", "static"),
        ("quantize", "--method", "dynamic"),
        ("quantize", "--method", "weight-only"),
        ("prune", "--amount", "0.5"),
        ("prune", "--amount", "0.5", "--structured"),
    ],
    ids=" ".join,
)
def test_accuracy_stays_within_a_point_with_margin(
    export: tuple[str, ...],
    run: Path,
    program: Program,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    paths = ("--checkpoint", str(run / "runs" / "best.pt"), "--out", str(out))

    print(program(run, "digits.export", *export, *paths))

    report = json.loads((out / "export.json").read_text(encoding="utf-8"))
    assert report["images"] == 359
    assert report["accuracy"]["before"] > 0.97
    assert report["accuracy"]["after"] >= report["accuracy"]["before"] - MARGIN
