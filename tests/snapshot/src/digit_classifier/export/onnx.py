"""ONNX: the exchange format that onnxruntime and many others run."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from .extras import require
from .noise import quiet
from .program import BATCH, program_of
from .subject import INPUT, OUTPUT, Subject
from .target import Limits, Target, Written

FILE = "model.onnx"

OLDEST_OPSET = 18
"""What torch's exporter is written in; to an older opset, it could only convert some models."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Onnx(Target):
    """Write one file for onnxruntime and other runtimes of ONNX; the batch size is free."""

    opset: int | None = None
    """Version of ONNX's operators; without it, the one that torch recommends."""

    tolerance: float = 1e-4
    """Greatest difference of an output from the model's."""

    def check(self) -> None:
        """Refuse an existing folder, and to start without what writes and runs ONNX."""
        super().check()
        require_onnx()
        import onnx

        newest = onnx.defs.onnx_opset_version()
        if self.opset is not None and not OLDEST_OPSET <= self.opset <= newest:
            raise InputError(
                f"--opset must be between {OLDEST_OPSET} and {newest}; it is {self.opset}."
            )

    def write(self, subject: Subject, folder: Path, metadata: dict[str, Any]) -> Written:
        """Write ``model.onnx``."""
        example = subject.example()
        opset = write_onnx(subject.model, example, folder / FILE, metadata, self.opset)
        limits = Limits(difference=self.tolerance)
        return Written(files=(FILE,), limits=limits, facts={"opset": opset})


def require_onnx() -> None:
    """Refuse to go on without the packages that write and run ONNX."""
    require("onnx", "onnxscript", "onnxruntime", extra="onnx")


def write_onnx(
    model: nn.Module,
    example: Tensor,
    path: Path,
    metadata: dict[str, Any],
    opset: int | None = None,
) -> int:
    """Write a model as one file whose batch size is free, and return the opset it is in.

    Args:
        model: in evaluation mode, on the CPU
        example: a batch of at least two inputs
        path: where to
        metadata: goes into the file's own metadata, each entry as JSON
        opset: version of ONNX's operators; None: the one that torch recommends
    """
    # Of a model, torch.onnx.export would try other tracers where this one fails.
    traced = program_of(model, example)
    with quiet():
        program = torch.onnx.export(
            traced,
            dynamo=True,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: BATCH},),
            opset_version=opset,
            verbose=False,
        )
        if program is None:
            raise RuntimeError("torch.onnx.export returned no program")
        for node in program.model.graph.all_nodes():
            # Where in the source each step came from: a fifth of the file, and folders of ours.
            node.metadata_props.clear()
        for key, value in metadata.items():
            program.model.metadata_props[key] = json.dumps(value, ensure_ascii=False)
        # Weights go into the same file: one file is one artefact.
        program.save(path, external_data=False)
    written = program.model.opset_imports[""]
    if opset is not None and written != opset:
        raise InputError(
            f"{type(model).__name__} cannot be written in opset {opset}, but in {written}: leave "
            f"--opset out, or give that."
        )
    return written


def load(folder: Path) -> Callable[[Tensor], Tensor]:
    """Return the model as onnxruntime runs it."""
    return run_onnx(folder / FILE)


def run_onnx(path: Path) -> Callable[[Tensor], Tensor]:
    """Return a function that onnxruntime computes on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def predict(images: Tensor) -> Tensor:
        (logits,) = session.run([OUTPUT], {INPUT: images.numpy()})
        return torch.from_numpy(logits)

    return predict
