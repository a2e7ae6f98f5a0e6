"""The export to ONNX."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from digit_classifier.errors import InputError
from digit_classifier.export.onnx import Onnx

from .conftest import RunExport

# A program of somebody who has the file, and none of this project.
READER = """
import json, sys
import numpy, onnx, onnxruntime
path = sys.argv[1]
model = onnx.load(path)
onnx.checker.check_model(model, full_check=True)
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
(given,), (returned,) = session.get_inputs(), session.get_outputs()
shapes = [
    session.run(None, {given.name: numpy.zeros((batch, *given.shape[1:]), "float32")})[0].shape
    for batch in (1, 5)
]
json.dump({
    "input": [given.name, given.shape],
    "output": [returned.name, returned.shape],
    "shapes": shapes,
    "opset": {one.domain: one.version for one in model.opset_import}[""],
    "metadata": {one.key: json.loads(one.value) for one in model.metadata_props},
    "modules": [name for name in sys.modules if name.startswith("torch")],
}, sys.stdout)
"""


@pytest.mark.slow
def test_the_file_is_all_that_onnxruntime_needs(
    run_export: RunExport,
    tmp_path: Path,
) -> None:
    report = run_export("onnx")

    reader = [sys.executable, "-c", READER, str(tmp_path / "out" / "model.onnx")]
    read = json.loads(subprocess.run(reader, capture_output=True, check=True).stdout)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"model.onnx", "export.json"}
    assert read["input"] == ["images", ["batch", 1, 8, 8]]
    assert read["output"] == ["logits", ["batch", 10]]
    assert read["shapes"] == [[1, 10], [5, 10]]
    assert read["opset"] == report["facts"]["opset"]
    assert read["metadata"] == report["metadata"]
    assert read["modules"] == []
    assert report["greatest_difference"] <= 1e-4
    assert report["agreement"] == 1


@pytest.mark.slow
def test_the_opset_can_be_chosen(run_export: RunExport) -> None:
    assert run_export("onnx", "--opset", "18")["facts"]["opset"] == 18


@pytest.mark.parametrize("opset", [17, 99])
def test_an_opset_that_cannot_be_written_is_refused(opset: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--opset must be between 18 and"):
        Onnx(checkpoint=tmp_path / "best.pt", out=tmp_path / "out", opset=opset).check()


def test_a_missing_package_is_named_with_its_way_in(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name: None if name == "onnxscript" else usual(name),
    )

    with pytest.raises(InputError, match=r"onnxscript .* pip install -e '.\[onnx\]'"):
        Onnx(checkpoint=tmp_path / "best.pt", out=tmp_path / "out").check()
