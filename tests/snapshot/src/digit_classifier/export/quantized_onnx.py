"""A model for onnxruntime that computes in eight bits."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from .onnx import write_onnx
from .subject import INPUT

# Where the weights are. To quantize what is cheap, too, costs accuracy and saves nothing.
OPERATORS = ["Conv", "Gemm", "MatMul"]
BATCH = 64


class _Calibration:
    """Feed images to onnxruntime's calibration, in batches; it asks until it gets None."""

    def __init__(self, images: Tensor) -> None:
        self._batches = iter(images.split(BATCH))

    def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch.numpy()}


def write_quantized_onnx(
    model: nn.Module,
    example: Tensor,
    calibration: Tensor,
    path: Path,
    metadata: dict[str, Any],
) -> int:
    """Write a model whose convolutions and linear maps compute in 8 bits.

    Args:
        model: in evaluation mode, on the CPU
        example: a batch of at least two inputs
        calibration: inputs such as the model will see, on which the ranges are found
        path: where to
        metadata: goes into the file's own metadata, each entry as JSON

    Returns:
        How many weights have 8 bits.
    """
    with tempfile.TemporaryDirectory() as scratch:
        exact, prepared = Path(scratch, "exact.onnx"), Path(scratch, "prepared.onnx")
        write_onnx(model, example, exact, metadata)
        quant_pre_process(exact, prepared)
        quantize_static(
            prepared,
            path,
            _Calibration(calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=OPERATORS,
            per_channel=True,
            # Unsigned beside signed is the pair that x86 CPUs multiply fast. Those without VNNI
            # add up two products in 16 bits, which only seven bits of weight never overflow.
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=True,
        )
    return _describe(path, metadata)


def _describe(path: Path, metadata: dict[str, Any]) -> int:
    """Put the metadata where onnxruntime's preparations may have lost it; count the weights."""
    written = onnx.load(path)
    entries = {key: json.dumps(value, ensure_ascii=False) for key, value in metadata.items()}
    onnx.helper.set_model_props(written, entries)
    onnx.save(written, path)
    return sum(
        int(np.prod(tensor.dims))
        for tensor in written.graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and tensor.name.endswith("_quantized")
    )
