"""What the names of torch mean: which modules have state, which functions make tensors."""

from __future__ import annotations

from typing import Literal

# Where torch defines a class is not how it is named: `torch.nn.modules.linear.Linear`.
_HOMES = ("torch.nn.modules.", "torch.nn.parameter.")


def canonical(name: str) -> str:
    """The public name of what a dotted name means."""
    for home in _HOMES:
        if name.startswith(home):
            return f"torch.nn.{name.rpartition('.')[2]}"
    if name.startswith("torch.functional."):
        return f"torch.{name.removeprefix('torch.functional.')}"
    return name


PARAMETERS = frozenset({"torch.nn.Parameter", "torch.nn.UninitializedParameter"})
BUFFERS = frozenset({"torch.nn.Buffer", "torch.nn.UninitializedBuffer"})
MODULE_CONTAINERS = frozenset({"torch.nn.ModuleList", "torch.nn.ModuleDict", "torch.nn.Sequential"})
PARAMETER_CONTAINERS = frozenset({"torch.nn.ParameterList", "torch.nn.ParameterDict"})

# Classes whose subclasses are modules.
MODULE_ROOTS = frozenset(
    {
        "torch.nn.Module",
        "torch.jit.ScriptModule",
        "torch.fx.GraphModule",
        "lightning.LightningModule",
        "lightning.pytorch.LightningModule",
        "lightning.pytorch.core.LightningModule",
        "pytorch_lightning.LightningModule",
        "pytorch_lightning.core.LightningModule",
        "pytorch_lightning.core.lightning.LightningModule",
        "transformers.PreTrainedModel",
        "transformers.modeling_utils.PreTrainedModel",
        "torch_geometric.nn.MessagePassing",
        "torch_geometric.nn.conv.MessagePassing",
        "mmengine.model.BaseModule",
        "mmengine.model.BaseModel",
        "mmcv.runner.BaseModule",
        "mmcv.runner.base_module.BaseModule",
        "fairseq.models.BaseFairseqModel",
        "fairseq.modules.FairseqIncrementalDecoder",
    }
)

# Modules of torch.nn without parameters, buffers or random state.
_STATELESS = """
AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d
AdaptiveMaxPool3d AvgPool1d AvgPool2d AvgPool3d CELU ChannelShuffle CircularPad1d CircularPad2d
CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d CosineSimilarity ELU Flatten Fold
FractionalMaxPool2d FractionalMaxPool3d GELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh Identity
LPPool1d LPPool2d LPPool3d LeakyReLU LocalResponseNorm LogSigmoid LogSoftmax MaxPool1d MaxPool2d
MaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d Mish PairwiseDistance PixelShuffle PixelUnshuffle ReLU
ReLU6 ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d
ReplicationPad3d SELU SiLU Sigmoid Softmax Softmax2d Softmin Softplus Softshrink Softsign Tanh
Tanhshrink Threshold Unflatten Unfold Upsample UpsamplingBilinear2d UpsamplingNearest2d ZeroPad1d
ZeroPad2d ZeroPad3d
BCELoss BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss CrossEntropyLoss GaussianNLLLoss
HingeEmbeddingLoss HuberLoss KLDivLoss L1Loss MSELoss MarginRankingLoss MultiLabelMarginLoss
MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss NLLLoss2d PoissonNLLLoss SmoothL1Loss
SoftMarginLoss TripletMarginLoss TripletMarginWithDistanceLoss
"""
STATELESS_MODULES = frozenset(f"torch.nn.{name}" for name in _STATELESS.split())
# They are without state, but random in training.
DROPOUTS = frozenset(
    f"torch.nn.{name}"
    for name in (
        *("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout"),
        *("FeatureAlphaDropout", "RReLU"),
    )
)
# Those that draw unless `training=False` is passed; the others draw only if `training=True` is.
DROPOUT_FUNCTIONS = frozenset(
    f"torch.nn.functional.{name}" for name in ("dropout", "dropout1d", "dropout2d", "dropout3d")
)
_STATEFUL = """
AdaptiveLogSoftmaxWithLoss BatchNorm1d BatchNorm2d BatchNorm3d Bilinear Conv1d Conv2d Conv3d
ConvTranspose1d ConvTranspose2d ConvTranspose3d Embedding EmbeddingBag GRU GRUCell GroupNorm
InstanceNorm1d InstanceNorm2d InstanceNorm3d LSTM LSTMCell LayerNorm LazyBatchNorm1d LazyBatchNorm2d
LazyBatchNorm3d LazyConv1d LazyConv2d LazyConv3d LazyConvTranspose1d LazyConvTranspose2d
LazyConvTranspose3d LazyInstanceNorm1d LazyInstanceNorm2d LazyInstanceNorm3d LazyLinear Linear
MultiheadAttention NonDynamicallyQuantizableLinear PReLU RMSNorm RNN RNNBase RNNCell SyncBatchNorm
Transformer TransformerDecoder TransformerDecoderLayer TransformerEncoder TransformerEncoderLayer
CrossMapLRN2d
"""
STATEFUL_MODULES = frozenset(f"torch.nn.{name}" for name in _STATEFUL.split())
MODULES = (
    STATELESS_MODULES
    | STATEFUL_MODULES
    | DROPOUTS
    | MODULE_CONTAINERS
    | PARAMETER_CONTAINERS
    | {"torch.nn.Module", "torch.nn.DataParallel", "torch.nn.parallel.DistributedDataParallel"}
)

# Methods of a module that return the module.
RETURN_THEMSELVES = frozenset(
    {
        *("to", "cuda", "cpu", "half", "float", "double", "bfloat16", "eval", "train", "apply"),
        *("requires_grad_", "type", "to_empty", "share_memory", "xpu"),
    }
)

# Functions that make a tensor out of no tensor; they take `device=`.
_FACTORIES = """
arange as_tensor bartlett_window blackman_window empty empty_strided eye full hamming_window
hann_window kaiser_window linspace logspace normal ones rand randint randn randperm range
scalar_tensor sparse_coo_tensor tensor tril_indices triu_indices zeros
"""
FACTORIES = frozenset(f"torch.{name}" for name in _FACTORIES.split())
# Factories of memory that nothing has written.
UNWRITTEN = frozenset(
    {
        *("torch.empty", "torch.empty_like", "torch.empty_strided"),
        *("torch.Tensor", "torch.FloatTensor", "torch.DoubleTensor", "torch.HalfTensor"),
        *("torch.cuda.FloatTensor",),
    }
)
TENSOR_CLASSES = frozenset(
    f"torch.{prefix}{name}"
    for prefix in ("", "cuda.")
    for name in (
        *("Tensor", "FloatTensor", "DoubleTensor", "HalfTensor", "LongTensor", "IntTensor"),
        *("BoolTensor", "ByteTensor", "BFloat16Tensor", "ShortTensor", "CharTensor"),
    )
)
# Further functions of torch that return tensors: those that `__init__` methods use.
_FUNCTIONS = """
abs acos add addmm all any argmax argmin argsort asin atan atan2 atleast_1d atleast_2d baddbmm
bernoulli bincount block_diag bmm broadcast_to bucketize cartesian_prod cat cdist ceil clamp clone
column_stack combinations complex concat concatenate conj corrcoef cos cosh cov cross cummax cummin
cumprod cumsum deg2rad det diag diag_embed diagflat diagonal diff div dot einsum empty_like erf exp
expm1 fft flatten flip floor fmod frombuffer from_numpy full_like gather ger histc hstack hypot imag
index_select inner inverse kron lerp log log10 log1p log2 logical_and logical_not logical_or
logsumexp masked_fill masked_select matmul matrix_exp max maximum mean median min minimum mm movedim
mul multinomial multiply mv nan_to_num narrow neg nonzero norm normal ones_like outer permute
poisson polar pow prod quantile rand_like randint_like randn_like real reciprocal relu remainder
repeat_interleave reshape roll rot90 round rsqrt scatter searchsorted sigmoid sign sin sinc sinh
softmax sort sqrt square squeeze stack std sub subtract sum swapaxes take tan tanh tensordot tile
topk transpose tril triu true_divide trunc unbind unflatten unique unsqueeze vander var
view_as_complex view_as_real vstack where zeros_like
"""
TENSOR_FUNCTIONS = FACTORIES | TENSOR_CLASSES | frozenset(f"torch.{n}" for n in _FUNCTIONS.split())
TENSOR_NAMESPACES = ("torch.nn.functional.", "torch.linalg.", "torch.fft.", "torch.special.")
# Methods of a tensor that return no tensor.
NOT_TENSORS = frozenset(
    {
        *("item", "tolist", "numpy", "size", "dim", "ndimension", "numel", "nelement", "stride"),
        *("get_device", "type", "is_floating_point", "is_complex", "is_contiguous", "is_cuda"),
        *("element_size", "data_ptr", "backward", "register_hook", "storage_offset", "is_sparse"),
        *("shape", "dtype", "device", "ndim", "requires_grad", "layout", "grad_fn", "is_leaf"),
        *("itemsize", "nbytes", "untyped_storage", "storage", "names"),
    }
)
# Methods and functions whose result shares the memory of the tensor that they are given.
VIEWS = frozenset(
    {
        *("view", "view_as", "transpose", "permute", "unsqueeze", "squeeze", "chunk", "split"),
        *("narrow", "select", "expand", "expand_as", "t", "T", "mT", "unbind", "movedim"),
        *("swapaxes", "swapdims", "diagonal", "unfold", "tensor_split", "real", "imag", "H"),
    }
)
# Attributes and methods that give a plain tensor without a graph.
DETACHED = frozenset({"detach", "data", "detach_"})
# Functions that have no gradient.
WITHOUT_GRADIENT = frozenset(
    {
        *("argmax", "argmin", "argsort", "nonzero"),
        *("histc", "bincount", "bucketize", "searchsorted"),
    }
)
DTYPES = frozenset(
    {
        *("float", "float16", "float32", "float64", "half", "double", "bfloat16", "long", "int"),
        *("int8", "int16", "int32", "int64", "uint8", "bool", "complex64"),
    }
)
# Attributes, no methods, that only tensors have, as far as arguments of `forward` go.
TENSOR_PROPERTIES = frozenset({"shape", "ndim", "device", "dtype", "requires_grad", "T", "mT"})
# Those that others may have, too.
COMMON_PROPERTIES = frozenset(
    {
        *("data", "grad", "grad_fn", "is_leaf", "is_cuda", "is_sparse", "layout", "names"),
        *("H", "mH", "real", "imag", "itemsize", "nbytes"),
    }
)
# Methods that only tensors have, likewise.
TENSOR_METHODS = frozenset(
    {
        *("size", "view", "contiguous", "expand", "repeat", "new_zeros", "new_ones", "new_full"),
        *("new_tensor", "masked_fill_", "dim", "numel", "float", "half", "type_as", "unfold"),
        *("view_as", "expand_as", "detach", "cpu", "fill_", "log_softmax", "chunk", "to_sparse"),
        *("bool", "long", "softmax"),
        *(name.removeprefix("torch.") for name in TENSOR_FUNCTIONS),
    }
) - {*("sort", "index", "count", "copy", "add", "split", "round", "take", "real", "imag", "unique")}
# What a module keeps under names: by which of its methods, and in which of its dictionaries.
Registered = Literal["buffer", "parameter", "module"]
REGISTRATIONS: dict[str, Registered] = {
    "register_buffer": "buffer",
    "register_parameter": "parameter",
    "add_module": "module",
    "register_module": "module",
}
REGISTRIES: dict[str, Registered] = {
    "_buffers": "buffer",
    "_parameters": "parameter",
    "_modules": "module",
}
HOST_FETCHES = frozenset({"item", "cpu", "numpy", "tolist"})
NO_GRAD = frozenset(
    {
        *("torch.no_grad", "torch.inference_mode", "torch.autograd.no_grad"),
        *("torch.autograd.grad_mode.no_grad", "torch.autograd.inference_mode"),
        *("torch.autograd.grad_mode.inference_mode",),
    }
)
# Attributes of an empty `ModuleDict` or module: what cannot be a key.
_RESERVED = """
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda
    double dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter
    get_submodule half ipu load_state_dict modules mtia named_buffers named_children named_modules
    named_parameters parameters register_backward_hook register_buffer register_forward_hook
    register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module
    register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_
    set_extra_state set_submodule share_memory state_dict to to_empty train training type xpu
    zero_grad _parameters _buffers _modules _apply _backward_hooks _forward_hooks
"""
RESERVED_KEYS = frozenset(_RESERVED.split())
# What a `ModuleDict` and a `Sequential` add to that.
DICT_KEYS = frozenset({"clear", "items", "keys", "pop", "update", "values"})
SEQUENTIAL_KEYS = frozenset({"append", "extend", "insert", "pop"})
