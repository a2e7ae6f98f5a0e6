"""Quantization: what is in the files, who can run them, and what it costs."""

import dataclasses
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from digit_classifier.errors import InputError, Told
from digit_classifier.export.noise import quiet
from digit_classifier.export.onnx import FILE as ONNX
from digit_classifier.export.quantize import STATIC_PROGRAM, Method, Quantize
from digit_classifier.export.quantized_program import linear
from digit_classifier.export.subject import load_subject
from digit_classifier.export.torch_export import FILE as PROGRAM

from .conftest import RunExport

# A program of somebody who has the file, and neither torchao nor this project.
READER = """
import json, sys
import torch
extra = {"metadata.json": ""}
program = torch.export.load(sys.argv[1], extra_files=extra)
model = program.module()
values = program.state_dict.values()
json.dump({
    "shapes": [model(torch.rand(batch, 1, 8, 8)).shape for batch in (1, 5)],
    "int8": [list(value.shape) for value in values if value.dtype == torch.int8],
    "metadata": json.loads(extra["metadata.json"]),
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
}, sys.stdout)
"""
FILES: list[tuple[Method, str]] = [
    ("onnx", ONNX),
    ("static", STATIC_PROGRAM),
    ("dynamic", PROGRAM),
    ("weight-only", PROGRAM),
]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "file"), FILES)
def test_accuracy_stays_well_within_a_point(
    method: Method,
    file: str,
    run_export: RunExport,
    tmp_path: Path,
) -> None:
    report = run_export("quantize", "--method", method)

    before, after = report["accuracy"]["before"], report["accuracy"]["after"]
    print(f"{method}: accuracy {before:.2%} before, {after:.2%} after")
    assert before > 0.9
    # Two of the 359 images.
    assert after >= before - 0.006
    assert report["agreement"] >= 0.98
    assert report["greatest_difference"] > 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {file, "export.json"}
    assert report["facts"]["method"] == method


@pytest.mark.slow
def test_convolutions_and_linear_layers_are_quantized_for_onnxruntime(
    run_export: RunExport,
    tmp_path: Path,
) -> None:
    report = run_export("quantize")

    model = onnx.load(tmp_path / "out" / ONNX)
    onnx.checker.check_model(model, full_check=True)
    made_by = {name: node for node in model.graph.node for name in node.output}
    maps = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    assert maps
    for node in maps:
        assert [made_by[name].op_type for name in node.input[:2]] == ["DequantizeLinear"] * 2
    weights = [
        tensor
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) > 1
    ]
    assert len(weights) == len(maps)
    # With all eight bits, a CPU without VNNI would overflow.
    assert all(abs(onnx.numpy_helper.to_array(tensor)).max() <= 64 for tensor in weights)
    metadata = {one.key: json.loads(one.value) for one in model.metadata_props}
    assert metadata == {**report["metadata"], "quantization": "onnx"}
    assert float(report["facts"]["weights_of_8_bits"].rstrip("%")) > 90


@pytest.mark.slow
@pytest.mark.parametrize("method", ["dynamic", "weight-only"])
def test_torch_alone_runs_quantized_linear_layers(
    method: str,
    run_export: RunExport,
    checkpoint: Path,
    tmp_path: Path,
) -> None:
    report = run_export("quantize", "--method", method)

    reader = [sys.executable, "-c", READER, str(tmp_path / "out" / PROGRAM)]
    read = json.loads(subprocess.run(reader, capture_output=True, check=True).stdout)
    assert read["shapes"] == [[1, 10], [5, 10]]
    model = load_subject(checkpoint).model
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    assert layers
    for layer in layers:
        assert list(layer.weight.shape) in read["int8"]
    assert read["metadata"] == {**report["metadata"], "quantization": method}
    assert not {"torchao", "digit_classifier"} & set(read["modules"])


@pytest.mark.slow
def test_a_static_program_holds_its_weights_as_whole_numbers_only(
    run_export: RunExport,
    checkpoint: Path,
    tmp_path: Path,
) -> None:
    run_export("quantize", "--method", "static")

    with quiet():
        import torchao.quantization.pt2e  # noqa: F401  (it brings the program's operators)

        program = torch.export.load(tmp_path / "out" / STATIC_PROGRAM)
    maps = [
        parameter.shape
        for owner in load_subject(checkpoint).model.modules()
        if isinstance(owner, nn.Conv2d | nn.Linear)
        for parameter in [owner.weight]
    ]
    held = {**program.state_dict, **program.constants}.values()
    assert sorted(tensor.shape for tensor in held if tensor.dtype == torch.int8) == sorted(maps)
    assert not [tensor for tensor in held if tensor.dtype == torch.float32 and tensor.ndim > 1]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "file"), FILES[:2])
def test_ranges_come_from_the_training_images(
    method: Method,
    file: str,
    checkpoint: Path,
    tmp_path: Path,
) -> None:
    subject = load_subject(checkpoint)
    images, labels = subject.splits.train.tensors
    brighter = dataclasses.replace(subject.splits, train=TensorDataset(10 * images, labels))
    target = Quantize(
        checkpoint=checkpoint,
        out=tmp_path / "out",
        method=method,
        calibration_images=100,
    )

    scales = []
    for number, one in enumerate((subject, dataclasses.replace(subject, splits=brighter))):
        folder = tmp_path / str(number)
        folder.mkdir()
        target.write(one, folder, {})
        scales.append(first_scale(folder / file))

    assert scales[1] > 5 * scales[0]


def first_scale(path: Path) -> float:
    """Return the scale of the model's first activations."""
    if path.name == ONNX:
        graph = onnx.load(path).graph
        name = next(node for node in graph.node if node.op_type == "QuantizeLinear").input[1]
        scales = {tensor.name: tensor for tensor in graph.initializer}
        return float(onnx.numpy_helper.to_array(scales[name]))
    with quiet():
        program = torch.export.load(path)
    node = next(
        node
        for node in program.graph.nodes
        if "quantize_per_tensor" in str(node.target) and "dequantize" not in str(node.target)
    )
    scale: float = node.args[1]
    return scale


@pytest.mark.slow
def test_the_model_itself_stays_as_it_is(checkpoint: Path) -> None:
    subject = load_subject(checkpoint)
    before = subject.model(subject.example())

    linear(subject.model, subject.example(), "weight-only")

    assert all(parameter.dtype == torch.float32 for parameter in subject.model.parameters())
    assert torch.equal(subject.model(subject.example()), before)


@pytest.mark.slow
def test_what_loses_more_than_it_may_is_not_delivered(
    run_export: RunExport,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ranges that are found on blank images cut off what strokes give."""
    blank = torch.zeros(8, 1, 8, 8)
    monkeypatch.setattr(Quantize, "_calibration", lambda target, subject: blank)

    with pytest.raises(Told):
        run_export("quantize")

    assert "points of accuracy on the test images; the limit is 1.00" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


class Convolution(nn.Module):
    """Convolve, and sum over space."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 10, kernel_size=3)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(images).sum(dim=(2, 3))


def test_a_model_without_linear_layers_is_told_what_else_there_is() -> None:
    with pytest.raises(InputError, match=r"Convolution has no linear layer, .* onnx or static"):
        linear(Convolution(), torch.rand(2, 1, 8, 8), "dynamic")


class Scale(nn.Module):
    """Weigh ten pixels, each by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(10), requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :10] * self.scale


@pytest.mark.slow
@pytest.mark.parametrize("method", ["onnx", "static"])
def test_a_model_with_nothing_to_quantize_is_refused(
    method: Method,
    checkpoint: Path,
    tmp_path: Path,
) -> None:
    subject = dataclasses.replace(load_subject(checkpoint), model=Scale().eval())
    target = Quantize(checkpoint=checkpoint, out=tmp_path / "out", method=method)

    with pytest.raises(InputError, match=f"--method {method} finds nothing to quantize in Scale"):
        target.write(subject, tmp_path, {})


def test_no_images_are_too_few_to_calibrate_on(tmp_path: Path) -> None:
    target = Quantize(
        checkpoint=tmp_path / "best.pt",
        out=tmp_path / "out",
        calibration_images=0,
    )

    with pytest.raises(InputError, match="--calibration-images must be at least 1; it is 0"):
        target.check()


@pytest.mark.parametrize(
    ("method", "package", "extra"),
    [("onnx", "onnxruntime", "onnx"), ("static", "torchao", "quantize")],
)
def test_a_missing_package_is_named_with_its_way_in(
    method: Method,
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
    target = Quantize(checkpoint=tmp_path / "best.pt", out=tmp_path / "out", method=method)

    with pytest.raises(InputError, match=rf"{package} is not installed: .* '\.\[{extra}\]'"):
        target.check()
