"""Quantization: weights, and what the layers compute with, as whole numbers of eight bits."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from ..errors import InputError
from .extras import require
from .noise import quiet
from .onnx import FILE as ONNX
from .onnx import require_onnx, run_onnx
from .subject import Subject
from .target import Limits, Target, Written
from .torch_export import FILE as PROGRAM
from .torch_export import run_program, save_program

# A program that torch runs only once torchao's operators are imported.
STATIC_PROGRAM = "model-static.pt2"

Method = Literal["onnx", "static", "dynamic", "weight-only"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Quantize(Target):
    """Write the model with weights of 8 bits; its accuracy on the test images may fall a little."""

    method: Method = "onnx"
    """What computes in 8 bits, and where.

    onnx: convolutions and linear layers, in onnxruntime; the fast one on a CPU.
    static: the same in torch, which is fast only where a backend lowers it.
    dynamic: linear layers, in torch, with ranges found anew for each image.
    weight-only: nothing, in torch; linear layers keep their weights in 8 bits.
    """

    calibration_images: int = 512
    """Training images that onnx and static find their ranges on."""

    max_accuracy_loss: float = 1.0
    """Percentage points of accuracy on the test images that it may lose."""

    def check(self) -> None:
        """Refuse an existing folder, wrong numbers, and to start without what quantizes."""
        super().check()
        if self.calibration_images < 1:
            raise InputError(
                f"--calibration-images must be at least 1; it is {self.calibration_images}."
            )
        if self.method == "onnx":
            require_onnx()
        else:
            require("torchao", extra="quantize")

    def write(self, subject: Subject, folder: Path, metadata: dict[str, Any]) -> Written:
        """Write ``model.onnx``, ``model.pt2`` or ``model-static.pt2``, as the method wants."""
        metadata = {**metadata, "quantization": self.method}
        facts: dict[str, Any] = {"method": self.method}
        if self.method in ("onnx", "static"):
            calibration = self._calibration(subject)
            facts["calibration_images"] = len(calibration)
        if self.method == "onnx":
            from .quantized_onnx import write_quantized_onnx

            file = ONNX
            quantized = write_quantized_onnx(
                subject.model, subject.example(), calibration, folder / file, metadata
            )
        else:
            from . import quantized_program as programs

            if self.method == "static":
                file = STATIC_PROGRAM
                program = programs.static(subject.model, subject.example(), calibration)
            else:
                file = PROGRAM
                program = programs.linear(subject.model, subject.example(), self.method)
            save_program(program, folder / file, metadata)
            quantized = programs.quantized_weights(program)
        if not quantized:
            raise InputError(
                f"--method {self.method} finds nothing to quantize in "
                f"{type(subject.model).__name__}."
            )
        count = sum(parameter.numel() for parameter in subject.model.parameters())
        facts["weights_of_8_bits"] = f"{quantized / count:.1%}"
        limits = Limits(accuracy_points=self.max_accuracy_loss)
        return Written(files=(file,), limits=limits, facts=facts)

    def _calibration(self, subject: Subject) -> Tensor:
        images, _ = subject.splits.train[: self.calibration_images]
        return images


def load(folder: Path) -> Callable[[Tensor], Tensor]:
    """Return the quantized model as onnxruntime or torch runs it."""
    if (folder / ONNX).exists():
        return run_onnx(folder / ONNX)
    if (folder / STATIC_PROGRAM).exists():
        with quiet():
            import torchao.quantization.pt2e  # noqa: F401  (it brings the program's operators)

        return run_program(folder / STATIC_PROGRAM)
    return run_program(folder / PROGRAM)
