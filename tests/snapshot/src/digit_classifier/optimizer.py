"""AdamW with weight decay where it helps, and its learning rate over time."""

import math
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from .config import OptimizerConfig

# Modules whose parameters place or scale features, whatever their shape.
UNDECAYED_MODULES = (
    nn.Embedding,
    nn.EmbeddingBag,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
)
# Last words of a parameter's name that tell a scale or a table of vectors.
UNDECAYED_LAST_WORDS = frozenset(
    {"embedding", "embeddings", "gain", "gamma", "positions", "scale"},
)


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Split the trainable parameters into those that decay and those that do not.

    Decay pulls a weight towards zero. That keeps the maps of layers and convolutions small; it
    only harms biases, scales, and embeddings, of which most get no gradient in a step. A parameter
    counts as one of these, and does not decay, if

    - it has less than two dimensions,
    - or it belongs to one of torch's norms or embeddings, ``UNDECAYED_MODULES``,
    - or a word of its own name is "bias", as in ``in_proj_bias`` and ``bias_k``,
    - or the last word is in ``UNDECAYED_LAST_WORDS``, as in ``token_embedding``.
    """
    decayed: list[nn.Parameter] = []
    undecayed: list[nn.Parameter] = []
    for owner, name, parameter in _trainable_parameters(module):
        (decayed if _decays(owner, name, parameter) else undecayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": undecayed, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def build_optimizer(module: nn.Module, config: OptimizerConfig) -> AdamW:
    """Return AdamW over the module's parameter groups."""
    return AdamW(parameter_groups(module, config.weight_decay), lr=config.learning_rate)


def build_schedule(optimizer: AdamW, config: OptimizerConfig, total_steps: int) -> LambdaLR:
    """Return the learning rate's course: a linear rise, then a cosine down to zero."""
    warmup_steps = round(config.warmup_share * total_steps)

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    return LambdaLR(optimizer, factor)


def rates_at(schedule: LambdaLR, step: int) -> list[float | Tensor]:
    """Return each group's learning rate in a step of the course."""
    pairs = zip(schedule.base_lrs, schedule.lr_lambdas, strict=True)
    return [rate * factor(step) for rate, factor in pairs]


def restore_schedule(schedule: LambdaLR, state: dict[str, Any]) -> None:
    """Take up a course where it stood; where the run is longer now, at the rate of the new one."""
    schedule.load_state_dict(state)
    # The optimizer's state brought back the rate of the old course, which is zero at its end.
    rates = rates_at(schedule, schedule.last_epoch)
    for group, rate in zip(schedule.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    schedule._last_lr = rates


def _trainable_parameters(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Parameter]]:
    """Give each trainable parameter once, shared ones too, with its owner and its name there."""
    seen: set[nn.Parameter] = set()
    for owner in module.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            if parameter.requires_grad and parameter not in seen:
                seen.add(parameter)
                yield owner, name, parameter


def _decays(owner: nn.Module, name: str, parameter: nn.Parameter) -> bool:
    words = name.split("_")
    return (
        parameter.ndim >= 2
        and not isinstance(owner, UNDECAYED_MODULES)
        and "bias" not in words
        and words[-1] not in UNDECAYED_LAST_WORDS
    )
