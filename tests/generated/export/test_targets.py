"""Every task's model in every form: whoever has the file alone gets the model's own outputs."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.utils import _pytree as pytree

from .conftest import PACKAGES, Checkpoint, RunExport

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"onnx": "model.onnx", "torch-export": "model.pt2", "torchscript": "model.pt"}
# A program of somebody who has the files, and none of the project.
READER = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
folder, sizes, targets = Path(sys.argv[1]), range(int(sys.argv[2])), sys.argv[3:]
import numpy
given = [dict(numpy.load(folder / f"inputs-{size}.npz")) for size in sizes]
found = {}
if "onnx" in targets:
    import onnx, onnxruntime
    path = folder / "onnx" / "model.onnx"
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert "torch" not in sys.modules
    found["onnx"] = {
        "inputs": {one.name: one.shape for one in session.get_inputs()},
        "outputs": [one.name for one in session.get_outputs()],
        "metadata": {one.key: json.loads(one.value) for one in model.metadata_props},
        "results": [[each.tolist() for each in session.run(None, one)] for one in given],
    }
import torch
from torch.utils import _pytree as pytree
def results(call):
    tensors = [{name: torch.from_numpy(each) for name, each in one.items()} for one in given]
    return [[each.tolist() for each in pytree.tree_leaves(call(**one))] for one in tensors]
extra = {"metadata.json": ""}
if "torch-export" in targets:
    program = torch.export.load(folder / "torch-export" / "model.pt2", extra_files=extra)
    found["torch-export"] = {"results": results(program.module())}
    found["torch-export"]["metadata"] = json.loads(extra["metadata.json"])
if "torchscript" in targets:
    script = torch.jit.load(folder / "torchscript" / "model.pt", _extra_files=extra)
    assert not script.training
    found["torchscript"] = {"results": results(script)}
    found["torchscript"]["metadata"] = json.loads(extra["metadata.json"])
if "aoti" in targets:
    package = torch._inductor.aoti_load_package(str(folder / "aoti" / "model.pt2"))
    metadata = package.get_metadata()
    found["aoti"] = {"results": results(package)}
    found["aoti"]["metadata"] = {
        name: json.loads(text) for name, text in metadata.items() if not name.startswith("AOTI")
    }
json.dump(found, sys.stdout)
"""


@pytest.mark.parametrize("package", PACKAGES)
def test_the_file_is_all_that_is_needed(
    package: str,
    checkpoint: Checkpoint,
    run_export: RunExport,
    tmp_path: Path,
) -> None:
    targets = ["onnx", "torch-export", "torchscript"]
    if package == "sequence" and shutil.which("g++"):
        targets.append("aoti")
    reports = {target: run_export(package, tmp_path / target, target) for target in targets}

    subject = importlib.import_module(f"{package}.export.subject").load_subject(checkpoint(package))
    resized = importlib.import_module(f"{package}.export.subject").resized
    sizes = [{"batch": 1}, {"batch": 5}]
    if package == "sequence":
        sizes += [{"batch": 1, "length": 1}, {"batch": 4, "length": 9}]
    given = [resized(subject.example(), size) for size in sizes]
    for number, one in enumerate(given):
        write_arrays(tmp_path / f"inputs-{number}.npz", one)
    found = read(tmp_path, len(given), *targets)

    for target, report in reports.items():
        assert report["proved"]
        assert report["greatest_difference"] <= 1e-5
        assert set(report["batch_sizes"]) == {"1", "3", "7", "64"}
        kept = dict(found[target]["metadata"])
        assert {name: kept[name] for name in report["metadata"]} == report["metadata"]
        for one, results in zip(given, found[target]["results"], strict=True):
            expected = pytree.tree_leaves(subject.model(**one))
            for output, tensor in zip(results, expected, strict=True):
                close = torch.tensor(output, dtype=tensor.dtype).view(tensor.shape)
                torch.testing.assert_close(close, tensor, atol=1e-4, rtol=1e-4)


def write_arrays(path: Path, inputs: dict[str, torch.Tensor]) -> None:
    """Write inputs as somebody without torch reads them."""
    import numpy as np

    np.savez(path, **{name: tensor.numpy() for name, tensor in inputs.items()})


def read(folder: Path, sizes: int, *targets: str) -> dict[str, Any]:
    """Run the files in a process that has none of the packages."""
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    reader = [sys.executable, "-c", READER, str(folder), str(sizes), *targets]
    found: dict[str, Any] = json.loads(subprocess.check_output(reader, env=alone))
    return found


def test_names_types_and_dynamic_dimensions_are_in_the_metadata(
    checkpoint: Checkpoint,
    run_export: RunExport,
    tmp_path: Path,
) -> None:
    metadata = run_export("fourth", tmp_path / "fourth", "onnx")["metadata"]
    assert metadata["format"] == 2
    assert metadata["inputs"] == [
        {"name": "readings", "dtype": "float32", "shape": ["batch", 5]},
        {"name": "store", "dtype": "int64", "shape": ["batch"]},
    ]
    assert metadata["outputs"] == [
        {"name": "sales", "dtype": "float32", "shape": ["batch"]},
        {"name": "sold_out", "dtype": "float32", "shape": ["batch"]},
    ]
    assert metadata["primary"] == {"name": "error", "direction": "min"}
    assert len(metadata["checkpoint"]["sha256"]) == 64

    import onnx
    from sequence.export.report import describe
    from sequence.export.subject import load_subject

    graph = onnx.load(tmp_path / "fourth" / "model.onnx").graph
    assert [one.name for one in graph.input] == ["readings", "store"]
    assert [one.name for one in graph.output] == ["sales", "sold_out"]
    described = describe(load_subject(checkpoint("sequence")))
    assert described["inputs"][0]["shape"] == ["batch", "length"]
    assert described["outputs"][0]["name"] == "output"
    assert described["outputs"][0]["shape"][:2] == ["batch", "length"]


def test_the_opset_can_be_chosen(run_export: RunExport, tmp_path: Path) -> None:
    report = run_export("tabular", tmp_path / "out", "onnx", "--opset", "18")
    assert report["facts"] == {"opset": 18}
