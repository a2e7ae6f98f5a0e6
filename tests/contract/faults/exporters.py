"""Faults that show only where somebody else runs what was exported."""

import torch
from stated import WithLinear
from torch import Tensor

from .entry import fails


@fails(
    "export", says="cannot be exported: this holds for some sizes of the batch only: Eq(batch, 3)"
)
class UnrollsTheBatch(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.linear(row) for row in x]) if x.shape[0] else self.linear(x)


@fails(
    "export",
    says="cannot be exported: what is done here depends on the value of a tensor",
    opt_out=dict.fromkeys(
        ("host_fetches", "devices", "vmap", "compilation", "batch_invariance"),
        "it decides by value",
    ),
)
class BranchesByValue(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        return y * 2 if y.sum() > 0 else y


@fails(
    "export",
    says="another output for a batch of 1: output differs",
    opt_out={"batch_invariance": "one sample is not treated as many are"},
)
class TreatsOneOtherwise(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        return y * 2 if x.shape[0] == 1 else y


@fails("onnx", says="cannot be exported to ONNX: DispatchError: No ONNX function found for")
class BesselFunction(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + torch.special.bessel_j0(torch.ones_like(x))


@fails("onnx", says="onnxruntime does not take it: [ONNXRuntimeError] : 9 : NOT_IMPLEMENTED")
class ErrorFunctionInDoublePrecision(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return torch.erf(self.linear(x).double()).to(x.dtype)


@fails("onnx", says="another output for a batch of 5: output differs")
class AveragesByIndex(WithLinear):
    """ONNX has no such mean, and torch's exporter writes another reduction without a word."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        groups = torch.zeros_like(y, dtype=torch.int64)
        return torch.zeros_like(y).scatter_reduce(1, groups, y, "mean")
