"""Layers of torch.nn as it ships them, and the checks that some of them cannot keep."""

from collections.abc import Callable
from typing import Any

import torch
from module_contract.case import Contract
from stated import Inputs, Shape, rows, same_rows, stated
from torch import nn

RESET = {"meta_initialisation": "torch resets it in `_reset_parameters`"}
REPR = {"representation": "torch shows none of its arguments"}
ARGUMENTS = {"representation": "torch does not show its number of heads"}
COMPILED = {"compilation": "torch.compile refuses it whole"}


def images(batch: int) -> tuple[torch.Tensor]:
    return (torch.randn(batch, 4, 6, 6),)


def signals(batch: int) -> tuple[torch.Tensor]:
    return (torch.randn(batch, 4, 6),)


def volumes(batch: int) -> tuple[torch.Tensor]:
    return (torch.randn(batch, 2, 4, 4, 4),)


def indices(batch: int) -> tuple[torch.Tensor]:
    return (torch.randint(0, 5, (batch, 3)),)


def pairs(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    return (torch.randn(batch, 4), torch.randn(batch, 4))


def classes(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    return (torch.randn(batch, 4), torch.randint(0, 4, (batch,)))


def sequences(batch: int) -> tuple[torch.Tensor]:
    return (torch.randn(batch, 5, 4),)


def three_sequences(batch: int) -> tuple[torch.Tensor, ...]:
    sequence = torch.randn(batch, 5, 4)
    return (sequence, sequence, sequence)


def fixed(*sizes: int) -> Shape:
    return lambda batch: (batch, *sizes)


def scalar(batch: int) -> tuple[()]:
    return ()


LAYERS: dict[str, Contract] = {}


def layer(
    kind: Callable[..., nn.Module],
    *arguments: Any,
    inputs: Inputs = rows,
    shape: Shape = same_rows,
    opt_out: dict[str, str] | None = None,
    factory: bool = True,
    **options: Any,
) -> None:
    """Enter a layer with its arguments; `factory` says whether it takes device and dtype."""

    def make(device: Any = None, dtype: Any = None) -> nn.Module:
        return kind(*arguments, device=device, dtype=dtype, **options)

    def plain() -> nn.Module:
        return kind(*arguments, **options)

    contract = stated(make if factory else plain, inputs, shape, opt_out)
    contract.found_again = (torch_layer, (kind.__name__,))
    LAYERS[kind.__name__] = contract


def torch_layer(name: str) -> Contract:
    """The contract of the layer of that name."""
    return LAYERS[name]


layer(nn.Identity, factory=False)
layer(nn.Linear, 4, 3, shape=fixed(3))
layer(nn.Bilinear, 4, 4, 3, inputs=pairs, shape=fixed(3))
layer(nn.LazyLinear, 3, shape=fixed(3))
layer(nn.Embedding, 5, 4, inputs=indices, shape=fixed(3, 4))
layer(nn.EmbeddingBag, 5, 4, inputs=indices)
layer(nn.Conv1d, 4, 3, 3, inputs=signals, shape=fixed(3, 4))
layer(nn.Conv2d, 4, 3, 3, inputs=images, shape=fixed(3, 4, 4))
layer(nn.Conv3d, 2, 3, 3, inputs=volumes, shape=fixed(3, 2, 2, 2))
layer(nn.ConvTranspose2d, 4, 3, 3, inputs=images, shape=fixed(3, 8, 8))
layer(nn.LazyConv2d, 3, 3, inputs=images, shape=fixed(3, 4, 4))
layer(nn.BatchNorm1d, 4)
layer(nn.BatchNorm2d, 4, inputs=images, shape=fixed(4, 6, 6))
layer(nn.LayerNorm, 4)
layer(nn.RMSNorm, 4)
layer(nn.GroupNorm, 2, 4, inputs=images, shape=fixed(4, 6, 6))
layer(
    nn.InstanceNorm1d,
    4,
    affine=True,
    inputs=signals,
    shape=fixed(4, 6),
    opt_out={"empty_batch": "torch's instance norm indexes into an empty batch"},
)
layer(
    nn.InstanceNorm2d,
    4,
    affine=True,
    track_running_stats=True,
    inputs=images,
    shape=fixed(4, 6, 6),
    opt_out={"empty_batch": "torch's tracked instance norm refuses an empty batch"},
)
layer(nn.PReLU, 4)
layer(nn.ReLU, factory=False)
layer(nn.GELU, factory=False)
layer(nn.Softmax, dim=-1, factory=False)
layer(nn.LogSoftmax, dim=-1, factory=False)
layer(nn.RReLU, factory=False, opt_out={"onnx": "torch's exporter to ONNX has no word for it"})
layer(nn.GLU, factory=False, shape=fixed(2))
layer(nn.Dropout, 0.5, factory=False)
layer(nn.Dropout2d, 0.25, factory=False, inputs=images, shape=fixed(4, 6, 6))
layer(nn.AlphaDropout, 0.25, factory=False)
layer(nn.MaxPool2d, 2, factory=False, inputs=images, shape=fixed(4, 3, 3))
layer(nn.AvgPool2d, 2, factory=False, inputs=images, shape=fixed(4, 3, 3))
layer(nn.AdaptiveAvgPool2d, 2, factory=False, inputs=images, shape=fixed(4, 2, 2))
layer(nn.Upsample, scale_factor=2, factory=False, inputs=images, shape=fixed(4, 12, 12))
layer(nn.PixelShuffle, 2, factory=False, inputs=images, shape=fixed(1, 12, 12))
layer(nn.ZeroPad2d, 1, factory=False, inputs=images, shape=fixed(4, 8, 8))
layer(nn.Flatten, factory=False, inputs=images, shape=fixed(144))
layer(nn.Unfold, 3, factory=False, inputs=images, shape=fixed(36, 16))
layer(nn.CosineSimilarity, dim=1, factory=False, inputs=pairs, shape=fixed())
layer(nn.PairwiseDistance, factory=False, inputs=pairs, shape=fixed())
layer(nn.RNNCell, 4, 3, shape=fixed(3))
layer(nn.GRUCell, 4, 3, shape=fixed(3))
layer(nn.LSTMCell, 4, 3, shape=lambda batch: ((batch, 3), (batch, 3)))
for recurrent in (nn.RNN, nn.GRU):
    layer(
        recurrent,
        4,
        3,
        batch_first=True,
        inputs=sequences,
        shape=lambda batch: ((batch, 5, 3), (1, batch, 3)),
    )
layer(
    nn.LSTM,
    4,
    3,
    inputs=lambda batch: (torch.randn(5, batch, 4),),
    shape=lambda batch: ((5, batch, 3), ((1, batch, 3), (1, batch, 3))),
)
layer(
    nn.MultiheadAttention,
    4,
    2,
    batch_first=True,
    inputs=three_sequences,
    shape=lambda batch: ((batch, 5, 4), (batch, 5, 5)),
    opt_out=RESET | ARGUMENTS,
)
layer(
    nn.TransformerEncoderLayer,
    4,
    2,
    8,
    batch_first=True,
    inputs=sequences,
    shape=fixed(5, 4),
    opt_out=RESET | ARGUMENTS,
)
layer(
    nn.TransformerDecoderLayer,
    4,
    2,
    8,
    batch_first=True,
    inputs=lambda batch: (torch.randn(batch, 5, 4), torch.randn(batch, 3, 4)),
    shape=fixed(5, 4),
    opt_out=RESET | ARGUMENTS,
)
layer(nn.MSELoss, factory=False, inputs=pairs, shape=scalar)
layer(nn.HuberLoss, delta=0.5, factory=False, inputs=pairs, shape=scalar, opt_out=REPR)
layer(nn.CrossEntropyLoss, factory=False, inputs=classes, shape=scalar)
layer(
    nn.BCEWithLogitsLoss,
    factory=False,
    inputs=lambda batch: (torch.randn(batch, 4), torch.rand(batch, 4)),
    shape=scalar,
)
layer(
    nn.CosineEmbeddingLoss,
    factory=False,
    inputs=lambda batch: (*pairs(batch), torch.randint(0, 2, (batch,)) * 2.0 - 1.0),
    shape=scalar,
)
layer(
    nn.TripletMarginLoss,
    factory=False,
    inputs=lambda batch: (*pairs(batch), torch.randn(batch, 4)),
    shape=scalar,
)
layer(
    nn.CTCLoss,
    factory=False,
    inputs=lambda batch: (
        torch.randn(6, batch, 4).log_softmax(2),
        torch.randint(1, 4, (batch, 2)),
        torch.full((batch,), 6),
        torch.full((batch,), 2),
    ),
    shape=scalar,
    opt_out=COMPILED
    | {"export": "torch's result depends on the lengths' values"}
    | {"gradcheck": "torch's gradient holds for log-probabilities only"},
)
layer(
    nn.AdaptiveLogSoftmaxWithLoss,
    4,
    6,
    [2],
    inputs=lambda batch: (torch.randn(batch, 4), torch.arange(batch) % 6),
    shape=lambda batch: ((batch,), ()),
    opt_out=COMPILED
    | {"vmap": "torch sorts the targets by value"}
    | REPR
    | {"export": "torch sorts the targets by value"}
    | {"autocast": "torch copies bfloat16 into a float32 result"},
)
