"""The optimizer, with weight decay where it helps, and its learning rate over time."""

import importlib
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from ..command import InputError
from .config import OptimizerConfig

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}

Course = Callable[[float], float]
"""From the progress after the warm-up, 0 to 1, to the factor of the learning rate."""

SCHEDULES: dict[str, Course] = {
    "constant": lambda progress: 1.0,
    "cosine": lambda progress: 0.5 * (1 + math.cos(math.pi * progress)),
    "linear": lambda progress: 1.0 - progress,
}

# Modules whose parameters place or scale features, whatever their shape.
UNDECAYED_MODULES = (nn.Embedding, nn.EmbeddingBag, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
# Last words of a parameter's name that mark a scale or a table of vectors.
UNDECAYED_LAST_WORDS = ("embedding", "embeddings", "gain", "gamma", "positions", "scale")


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
    decayed: dict[nn.Parameter, bool] = {}
    for owner in module.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            if parameter.requires_grad:
                # One that is shared counts where it is first.
                decayed.setdefault(parameter, _decays(owner, name, parameter))
    groups = [
        {"params": [each for each in decayed if decayed[each]], "weight_decay": weight_decay},
        {"params": [each for each in decayed if not decayed[each]], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def build_optimizer(module: nn.Module, config: OptimizerConfig) -> Optimizer:
    """Return the optimizer of the settings over the module's parameter groups."""
    kind: Any = _find(OPTIMIZERS, config.name, "optimizer.name")
    is_optimizer = isinstance(kind, type) and issubclass(kind, Optimizer)
    if not is_optimizer:
        raise InputError(f"optimizer.name names {config.name!r}, which is not an Optimizer.")
    groups = parameter_groups(module, config.weight_decay)
    try:
        return kind(groups, lr=config.learning_rate, **config.options)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{config.name} cannot be built with optimizer.options {config.options}: {error}."
        ) from error


def build_schedule(optimizer: Optimizer, config: OptimizerConfig, total_steps: int) -> LambdaLR:
    """Return the learning rate over the run: a linear rise, then the course of the settings."""
    warmup_steps = round(config.warmup_ratio * total_steps)
    course: Course = _find(SCHEDULES, config.schedule, "optimizer.schedule")

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
        return course(min(1.0, progress))

    return LambdaLR(optimizer, factor)


def rates_at(schedule: LambdaLR, step: int) -> list[float | Tensor]:
    """Return each group's learning rate in a step of the run."""
    pairs = zip(schedule.base_lrs, schedule.lr_lambdas, strict=True)
    return [rate * factor(step) for rate, factor in pairs]


def restore_schedule(schedule: LambdaLR, state: dict[str, Any]) -> None:
    """Restore a schedule; where the run is longer now, the rate is that of the longer run."""
    schedule.load_state_dict(state)
    # The optimizer's state brought back the rate of the shorter run, which may be zero at its end.
    rates = rates_at(schedule, schedule.last_epoch)
    for group, rate in zip(schedule.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    schedule._last_lr = rates


def _decays(owner: nn.Module, name: str, parameter: nn.Parameter) -> bool:
    words = name.split("_")
    return (
        parameter.ndim >= 2
        and not isinstance(owner, UNDECAYED_MODULES)
        and "bias" not in words
        and words[-1] not in UNDECAYED_LAST_WORDS
    )


def _find(known: dict[str, Any], name: str, setting: str) -> Any:
    """Return what a setting names: one of the known, or what stands at ``module:attribute``."""
    if name in known:
        return known[name]
    module, colon, attribute = name.partition(":")
    if not colon:
        raise InputError(
            f"{setting} must be {', '.join(known)}, or a path such as package.module:name; it is "
            f"{name!r}."
        )
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        # The last two: an empty name, or one that begins with a dot.
        raise InputError(f"{setting} names {name!r}, which is not there: {error}.") from error
    if not callable(found):
        raise InputError(f"{setting} names {name!r}, which cannot be called.")
    return found
