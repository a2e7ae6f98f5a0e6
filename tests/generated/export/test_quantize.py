"""Quantization: what is in the files, who can run them, and what it costs."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import onnx
import pytest
import torch
from sequence.command import InputError
from sequence.export.onnx import Onnx
from sequence.export.quantize import Method, Quantize, quantized_program
from sequence.export.subject import load_subject
from torch import Tensor, nn

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Checkpoint, RunExport

# A program of somebody who has the file, and neither torchao nor this project.
READER = """
import json, sys
import torch
extra = {"metadata.json": ""}
program = torch.export.load(sys.argv[1], extra_files=extra)
model = program.module()
values = program.state_dict.values()
tokens = [torch.ones(*size, dtype=torch.int64) for size in ((1, 4), (5, 9))]
json.dump({
    "shapes": [model(tokens=each, padding_mask=each < 1).shape for each in tokens],
    "int8": [list(value.shape) for value in values if value.dtype == torch.int8],
    "metadata": json.loads(extra["metadata.json"]),
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
}, sys.stdout)
"""


@pytest.mark.parametrize(
    ("package", "method"),
    [("digits", "onnx"), ("tabular", "dynamic"), ("sequence", "onnx"), ("fourth", "weight-only")],
)
def test_the_tasks_metric_stays_within_its_tolerance(
    package: str,
    method: Method,
    run_export: RunExport,
    tmp_path: Path,
) -> None:
    report = run_export(package, tmp_path / "out", "quantize", "--method", method)

    objective = importlib.import_module(f"{package}.task.objective")
    assert report["limits"]["metric_loss"] == objective.PRIMARY.tolerance
    assert report["degradation"] <= objective.PRIMARY.tolerance
    assert report["greatest_difference"] > 0
    assert report["facts"]["method"] == method
    file = "model.onnx" if method == "onnx" else "model.pt2"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {file, "export.json"}
    if method == "onnx":
        check_weights(tmp_path / "out" / file, report)


def check_weights(path: Path, report: dict[str, Any]) -> None:
    """Check that weights have 8 bits, of which CPUs without VNNI overflow with all."""
    model = onnx.load(path)
    onnx.checker.check_model(model)
    # What is looked up is not multiplied, so it cannot overflow.
    looked_up = {node.input[0] for node in model.graph.node if node.op_type == "Gather"}
    weights = [
        onnx.numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if tensor.name.endswith("_quantized") and tensor.name not in looked_up
    ]
    assert weights
    assert all(weight.max() <= 127 for weight in weights)
    assert float(report["facts"]["weights_of_8_bits"].rstrip("%")) > 90
    metadata = {one.key: json.loads(one.value) for one in model.metadata_props}
    assert metadata == {**report["metadata"], "quantization": "onnx"}


def test_torch_alone_runs_quantized_linear_layers(
    checkpoint: Checkpoint,
    run_export: RunExport,
    tmp_path: Path,
) -> None:
    report = run_export("sequence", tmp_path / "out", "quantize", "--method", "dynamic")

    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    reader = [sys.executable, "-c", READER, str(tmp_path / "out" / "model.pt2")]
    read = json.loads(subprocess.check_output(reader, env=alone))
    assert [shape[:2] for shape in read["shapes"]] == [[1, 4], [5, 9]]
    model = load_subject(checkpoint("sequence")).model
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    assert layers
    for layer in layers:
        assert list(layer.weight.shape) in read["int8"]
    assert read["metadata"] == {**report["metadata"], "quantization": "dynamic"}
    assert not {"torchao", "sequence"} & set(read["modules"])


def test_the_model_itself_stays_as_it_is(checkpoint: Checkpoint) -> None:
    subject = load_subject(checkpoint("sequence"))
    before = subject.outputs(subject.example())["output"]

    quantized_program(subject, "weight-only")

    assert all(parameter.dtype == torch.float32 for parameter in subject.model.parameters())
    assert torch.equal(subject.outputs(subject.example())["output"], before)


class Embedded(nn.Module):
    """Look up a number for each token, and scale it."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()), requires_grad=False)

    def forward(self, tokens: Tensor, padding_mask: Tensor) -> Tensor:
        """Return ``(N, L)``."""
        return tokens * self.scale * padding_mask


def test_a_model_with_nothing_to_quantize_is_refused(
    checkpoint: Checkpoint,
    tmp_path: Path,
) -> None:
    subject = dataclasses.replace(load_subject(checkpoint("sequence")), model=Embedded().eval())
    names = ("tokens", "padding_mask")
    metadata = {"inputs": [{"name": name} for name in names], "outputs": [{"name": "output"}]}
    paths = {"checkpoint": tmp_path / "best.pt", "out": tmp_path / "out"}

    with pytest.raises(InputError, match="--method onnx finds nothing to quantize in Embedded"):
        Quantize(**paths).write(subject, tmp_path, metadata)
    with pytest.raises(InputError, match=r"Embedded has no linear layer, .* take onnx"):
        Quantize(**paths, method="dynamic").write(subject, tmp_path, metadata)


@pytest.mark.parametrize(
    ("target", "package", "extra"),
    [
        (Onnx, "onnxscript", "onnx"),
        (Quantize, "onnxruntime", "onnx"),
        (lambda **paths: Quantize(**paths, method="dynamic"), "torchao", "quantize"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    target: Any,
    package: str,
    extra: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name: None if name == package else usual(name),
    )

    with pytest.raises(InputError, match=rf"{package} is not installed: .* '\.\[{extra}\]'"):
        target(checkpoint=tmp_path / "best.pt", out=tmp_path / "out").check()


@pytest.mark.parametrize("opset", [17, 99])
def test_an_opset_that_cannot_be_written_is_refused(opset: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--opset must be between 18 and"):
        Onnx(checkpoint=tmp_path / "best.pt", out=tmp_path / "out", opset=opset).check()
