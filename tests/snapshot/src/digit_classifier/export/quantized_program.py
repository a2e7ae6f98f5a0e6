"""Programs of torch whose weights have eight bits, made by torchao."""

import copy
from typing import Literal

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from ..errors import InputError
from .noise import quiet
from .program import program_of

BATCH = 64

# Kernels for GPUs that are not here, and torch's plans with torchao: nothing that one can act on.
with quiet():
    import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as x86
    from torchao.quantization import (
        Int8DynamicActivationInt8WeightConfig,
        Int8WeightOnlyConfig,
        quantize_,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.utils import unwrap_tensor_subclass


def linear(
    model: nn.Module,
    example: Tensor,
    method: Literal["dynamic", "weight-only"],
) -> ExportedProgram:
    """Return a program whose linear layers have weights of 8 bits; torch alone runs it.

    Args:
        model: in evaluation mode, on the CPU; it stays as it is
        example: a batch of at least two inputs
        method: whether these layers also compute in 8 bits
    """
    if not any(isinstance(module, nn.Linear) for module in model.modules()):
        raise InputError(
            f"{type(model).__name__} has no linear layer, and --method {method} quantizes nothing "
            f"else: take onnx or static."
        )
    config = Int8DynamicActivationInt8WeightConfig if method == "dynamic" else Int8WeightOnlyConfig
    quantized = copy.deepcopy(model)
    with quiet():
        # The settings of torch.compile are the caller's.
        quantize_(quantized, config(set_inductor_config=False))
        # As plain tensors, of which a scale and a zero are told apart by their type.
        unwrap_tensor_subclass(quantized)
    program = program_of(quantized, example)
    with quiet():
        # torchao's own operators in terms of torch's: whoever loads the program needs no torchao.
        table = {
            operator: decomposition
            for operator, decomposition in torch.export.default_decompositions().items()
            if getattr(operator, "namespace", "") == "torchao"
        }
        return program.run_decompositions(table)


def static(model: nn.Module, example: Tensor, calibration: Tensor) -> ExportedProgram:
    """Return a program with all weights and activations in 8 bits, in ranges that are fixed.

    Args:
        model: in evaluation mode, on the CPU; it stays as it is
        example: a batch of at least two inputs
        calibration: inputs such as the model will see, on which the ranges are found
    """
    # The ranges that x86 CPUs without VNNI can add up, too; other CPUs take them as well.
    settings = x86.get_default_x86_inductor_quantization_config(reduce_range=True)
    quantizer = x86.X86InductorQuantizer().set_global(settings)
    graph = program_of(model, example).module()
    assert isinstance(graph, fx.GraphModule)
    with quiet(), torch.no_grad():
        observed = prepare_pt2e(graph, quantizer)
        for batch in calibration.split(BATCH):
            observed(batch)
        converted = convert_pt2e(observed)
    _drop_unused_weights(converted)
    return program_of(converted, example)


def quantized_weights(program: ExportedProgram) -> int:
    """Return how many weights have 8 bits; beside them there is at most a zero for each channel."""
    tensors = [*program.state_dict.values(), *program.constants.values()]
    return sum(
        tensor.numel()
        for tensor in tensors
        if isinstance(tensor, Tensor) and tensor.dtype == torch.int8 and tensor.ndim > 1
    )


def _drop_unused_weights(graph: fx.GraphModule) -> None:
    """Remove the float weights that whole numbers have taken the place of."""
    used = {node.target for node in graph.graph.nodes if node.op == "get_attr"}
    for name, _ in [*graph.named_parameters()]:
        if name not in used:
            owner, _, attribute = name.rpartition(".")
            delattr(graph.get_submodule(owner), attribute)
