"""What the run-time suite says of layers that others have published, and that work.

    python -m pip install --no-deps --target FOLDER timm einops x-transformers … (see PACKAGES)
    python benchmarks/foreign_layers.py FOLDER

Each layer is built and called as its documentation does. What is found is either the layer's own
doing, which the table names, or a false alarm of the suite.
"""

from __future__ import annotations

import importlib
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from nnscaffold.contract import Contract, run_checks

PACKAGES = (
    *("timm", "torchvision", "einops", "x-transformers", "rotary-embedding-torch"),
    *("vector-quantize-pytorch", "local-attention", "performer-pytorch", "conformer", "kornia"),
    *("axial-positional-embedding", "product-key-memory", "monai", "loguru"),
    *("linear-attention-transformer", "segmentation-models-pytorch", "g-mlp-pytorch", "einx"),
    *("hyper-connections", "vit-pytorch", "perceiver-pytorch", "entmax", "colt5-attention"),
)


def images(*sizes: int) -> Callable[[int], tuple[torch.Tensor, ...]]:
    """Return inputs of these sizes after the batch."""
    return lambda batch: (torch.randn(batch, *sizes),)


def tokens(length: int, number: int = 32) -> Callable[[int], tuple[torch.Tensor, ...]]:
    """Return inputs of token numbers."""
    return lambda batch: (torch.randint(0, number, (batch, length)),)


def heads(count: int, *sizes: int) -> Callable[[int], tuple[torch.Tensor, ...]]:
    """Return so many inputs, for queries, keys and values."""
    return lambda batch: tuple(torch.randn(batch, *sizes) for _ in range(count))


def setting(module: str, name: str, **options: Any) -> Callable[[], Any]:
    """Return what makes a configuration, once its package is there."""
    return lambda: getattr(importlib.import_module(module), name)(**options)


LLAMA = setting("transformers", "LlamaConfig", hidden_size=16, num_attention_heads=2)
BERT = setting(
    *("transformers", "BertConfig"),
    hidden_size=16,
    num_attention_heads=2,
    intermediate_size=32,
    vocab_size=32,
)

Entry = tuple[str, str, tuple[Any, ...], dict[str, Any], Callable[[int], tuple[Any, ...]]]
# Module, class, arguments, named arguments, inputs.
LAYERS: list[Entry] = [
    ("timm.layers", "LayerScale", (8,), {}, images(5, 8)),
    ("timm.layers", "Mlp", (8,), {"hidden_features": 16}, images(5, 8)),
    ("timm.layers", "SwiGLU", (8,), {"hidden_features": 16}, images(5, 8)),
    ("timm.layers", "DropPath", (0.1,), {}, images(5, 8)),
    ("timm.layers", "SEModule", (8,), {}, images(8, 6, 6)),
    ("timm.layers", "EcaModule", (8,), {}, images(8, 6, 6)),
    ("timm.layers", "PatchEmbed", (8, 4, 3, 16), {}, images(3, 8, 8)),
    ("timm.layers", "BlurPool2d", (8,), {}, images(8, 6, 6)),
    ("timm.layers", "BatchNormAct2d", (8,), {}, images(8, 6, 6)),
    ("timm.layers", "AttentionPool2d", (8, 6), {"num_heads": 2}, images(8, 6, 6)),
    ("timm.layers", "RmsNorm", (8,), {}, images(5, 8)),
    ("timm.models.vision_transformer", "Block", (16, 4), {}, images(5, 16)),
    ("timm.models.convnext", "ConvNeXtBlock", (8,), {}, images(8, 8, 8)),
    (
        "timm.models.swin_transformer",
        "SwinTransformerBlock",
        (16, (8, 8), 4),
        {"window_size": 4, "shift_size": 2},
        images(8, 8, 16),
    ),
    ("torchvision.ops", "SqueezeExcitation", (8, 2), {}, images(8, 6, 6)),
    ("torchvision.ops", "StochasticDepth", (0.1, "row"), {}, images(8, 6, 6)),
    ("torchvision.ops", "FrozenBatchNorm2d", (8,), {}, images(8, 6, 6)),
    ("torchvision.ops", "Conv2dNormActivation", (4, 8), {}, images(4, 6, 6)),
    ("torchvision.models.resnet", "BasicBlock", (8, 8), {}, images(8, 6, 6)),
    ("torchvision.models.mobilenetv2", "InvertedResidual", (8, 8, 1, 2), {}, images(8, 6, 6)),
    ("einops.layers.torch", "Rearrange", ("b c h w -> b (h w) c",), {}, images(4, 3, 3)),
    ("x_transformers.x_transformers", "RMSNorm", (8,), {}, images(5, 8)),
    ("x_transformers.x_transformers", "FeedForward", (8,), {}, images(5, 8)),
    (
        "x_transformers.x_transformers",
        "Attention",
        (16,),
        {"heads": 2, "dim_head": 8},
        images(5, 16),
    ),
    (
        "rotary_embedding_torch",
        "RotaryEmbedding",
        (8,),
        {},
        images(
            5,
        ),
    ),
    ("vector_quantize_pytorch", "FSQ", ([8, 5, 5],), {}, images(5, 3)),
    ("vector_quantize_pytorch", "LFQ", (), {"codebook_size": 16, "dim": 8}, images(5, 8)),
    ("local_attention", "LocalAttention", (), {"window_size": 4, "dim": 8}, heads(3, 8, 8)),
    ("performer_pytorch", "FastAttention", (8,), {"nb_features": 16}, heads(3, 2, 5, 8)),
    ("conformer", "ConformerConvModule", (8,), {}, images(6, 8)),
    ("conformer", "ConformerBlock", (), {"dim": 16, "dim_head": 8, "heads": 2}, images(6, 16)),
    (
        "axial_positional_embedding",
        "AxialPositionalEmbedding",
        (),
        {"dim": 8, "axial_shape": (4, 4)},
        images(16, 8),
    ),
    (
        "product_key_memory",
        "PKM",
        (16,),
        {"heads": 2, "num_keys": 8, "topk": 4, "dim_head": 16},
        images(5, 16),
    ),
    ("kornia.filters", "GaussianBlur2d", ((3, 3), (1.0, 1.0)), {}, images(3, 8, 8)),
    ("kornia.filters", "Sobel", (), {}, images(3, 8, 8)),
    ("kornia.losses", "SSIMLoss", (5,), {}, heads(2, 3, 12, 12)),
    ("monai.networks.blocks", "ResidualUnit", (2, 4, 4), {}, images(4, 8, 8)),
    ("monai.networks.blocks", "MLPBlock", (8, 16), {}, images(5, 8)),
    ("monai.networks.blocks", "SABlock", (16, 4), {}, images(5, 16)),
    ("segmentation_models_pytorch.base.modules", "SCSEModule", (16,), {}, images(16, 6, 6)),
    ("timm.layers", "RotAttentionPool2d", (8,), {"num_heads": 2}, images(8, 6, 6)),
    ("timm.layers", "ScaledStdConv2d", (8, 8, 3), {}, images(8, 6, 6)),
    ("timm.layers", "GroupNormAct", (8,), {"num_groups": 2}, images(8, 6, 6)),
    ("timm.layers", "SelectiveKernel", (16,), {}, images(16, 6, 6)),
    ("timm.layers", "SplitAttn", (16,), {}, images(16, 6, 6)),
    ("timm.layers", "EvoNorm2dS0", (8,), {"groups": 2}, images(8, 6, 6)),
    ("timm.models.beit", "Block", (16, 4), {"window_size": (2, 2)}, images(5, 16)),
    (
        "timm.models.eva",
        "EvaAttention",
        (16,),
        {"num_heads": 2, "qk_norm": False, "scale_norm": False},
        images(5, 16),
    ),
    (
        "torchvision.models.vision_transformer",
        "EncoderBlock",
        (4, 16, 32, 0.1, 0.1),
        {},
        images(5, 16),
    ),
    ("torchvision.models.densenet", "_DenseLayer", (8, 4, 2, 0.1), {}, images(8, 6, 6)),
    (
        "vector_quantize_pytorch",
        "VectorQuantize",
        (),
        {"dim": 8, "codebook_size": 16},
        images(5, 8),
    ),
    ("vector_quantize_pytorch", "SimVQ", (), {"dim": 8, "codebook_size": 16}, images(5, 8)),
    ("x_transformers.x_transformers", "ScaledSinusoidalEmbedding", (8,), {}, images(5, 8)),
    ("x_transformers.x_transformers", "AlibiPositionalBias", (4, 4), {}, lambda batch: (5, 5)),
    (
        "x_transformers.x_transformers",
        "Encoder",
        (),
        {"dim": 16, "depth": 1, "heads": 2},
        images(5, 16),
    ),
    ("local_attention.rotary", "SinusoidalEmbeddings", (8,), {}, images(5, 8)),
    ("diffusers.models.embeddings", "Timesteps", (8, True, 0), {}, images()),
    (
        "diffusers.models.resnet",
        "ResnetBlock2D",
        (),
        {"in_channels": 32, "temb_channels": 8},
        lambda batch: (torch.randn(batch, 32, 4, 4), torch.randn(batch, 8)),
    ),
    (
        "diffusers.models.normalization",
        "AdaLayerNormContinuous",
        (8, 8),
        {},
        lambda batch: (torch.randn(batch, 5, 8), torch.randn(batch, 8)),
    ),
    ("nflows.transforms.normalization", "ActNorm", (4,), {}, images(4)),
    ("nflows.transforms.normalization", "BatchNorm", (4,), {}, images(4)),
    ("transformers.models.llama.modeling_llama", "LlamaRMSNorm", (8,), {}, images(5, 8)),
    (
        "transformers.models.llama.modeling_llama",
        "LlamaRotaryEmbedding",
        (LLAMA,),
        {},
        lambda batch: (torch.randn(batch, 5, 8), torch.arange(5).expand(batch, 5)),
    ),
    ("transformers.models.bert.modeling_bert", "BertEmbeddings", (BERT,), {}, tokens(5)),
    ("transformers.models.bert.modeling_bert", "BertLayer", (BERT,), {}, images(5, 16)),
    (
        "g_mlp_pytorch.g_mlp_pytorch",
        "gMLPBlock",
        (),
        {"dim": 8, "dim_ff": 16, "seq_len": 6},
        images(6, 8),
    ),
    ("vit_pytorch.vit", "Attention", (16,), {"heads": 2, "dim_head": 8}, images(5, 16)),
    (
        "linear_attention_transformer.linear_attention_transformer",
        "SelfAttention",
        (16, 2, False),
        {},
        images(5, 16),
    ),
    (
        "perceiver_pytorch.perceiver_pytorch",
        "Attention",
        (16,),
        {"heads": 2, "dim_head": 8},
        images(5, 16),
    ),
]


class Published(Contract):
    """A layer as its package builds it."""

    def __init__(self, make: Callable[[], nn.Module], inputs: Callable[[int], Any]) -> None:
        self.make = make
        self.inputs = inputs  # type: ignore[method-assign, assignment]

    def build(self) -> nn.Module:
        """Build the layer."""
        return self.make()


def main() -> None:
    """Print what is found, layer by layer."""
    sys.path[1:1] = sys.argv[1:2]
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    # torchvision's wheel for CUDA imports where torch is built for the CPU, but for these.
    make: Any = torch.library.Library
    library = make("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    clean = 0
    met = 0
    for home, name, args, named, inputs in LAYERS:
        try:
            kind = getattr(importlib.import_module(home), name)
            args = tuple(one() if one in (LLAMA, BERT) else one for one in args)
            kind(*args, **named)
        except Exception as error:
            print(f"{home}.{name}: not there: {type(error).__name__}: {error}")
            continue
        met += 1
        start = time.perf_counter()
        found = run_checks(Published(lambda: kind(*args, **named), inputs))  # noqa: B023
        clean += not found
        print(f"{home}.{name}: {time.perf_counter() - start:.2f} s, {len(found)} findings")
        for one in found:
            print(f"    {one.check}: {str(one)[:300]}")
    print(f"{clean} of {met} layers have no finding")


if __name__ == "__main__":
    main()
