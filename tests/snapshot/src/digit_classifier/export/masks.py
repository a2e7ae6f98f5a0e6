"""Which weights of a model are held at zero."""

import dataclasses
from typing import Self

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..optimizer import parameter_groups


@dataclasses.dataclass(frozen=True)
class Sparsity:
    """How much of what can be pruned is zero."""

    total: float
    """Share of all those weights."""
    of_parameters: dict[str, float]
    """Share in each parameter, by name."""


class Masks:
    """Hold some weights of a model at zero; the model knows nothing of it, and has no hooks.

    Pruned are the maps of layers and convolutions, the same parameters that weight decay pulls
    towards zero. To zero a bias or a norm's scale saves nothing and harms much.

    Args:
        kept: each prunable parameter by its name, and where it stays as it is: True
    """

    def __init__(self, kept: dict[str, tuple[nn.Parameter, Tensor]]) -> None:
        self._kept = kept

    @classmethod
    def smallest(cls, model: nn.Module, amount: float, *, structured: bool) -> Self:
        """Choose what matters least by magnitude; nothing is changed yet.

        Args:
            model: with the weights to judge by
            amount: share of the weights, above 0 and below 1
            structured: take whole input channels of each layer, those with the smallest norms;
                else the smallest weights, wherever they are. Input channels, since the outputs of
                a last layer are the classes, all of which are needed; one always stays.
        """
        weights = _prunable(model)
        if not weights:
            raise InputError(f"{type(model).__name__} has no weights that could be pruned.")
        choose = _channels_kept if structured else _weights_kept
        return cls(choose(weights, amount))

    @torch.no_grad()
    def apply(self) -> None:
        """Put the chosen weights to zero, where they now are."""
        for parameter, mask in self._kept.values():
            parameter.mul_(mask)

    def sparsity(self, state: dict[str, Tensor]) -> Sparsity:
        """Count the zeros in a state of the model."""
        zeros = {name: int((state[name] == 0).sum()) for name in self._kept}
        sizes = {name: state[name].numel() for name in self._kept}
        return Sparsity(
            total=sum(zeros.values()) / sum(sizes.values()),
            of_parameters={name: zeros[name] / sizes[name] for name in zeros},
        )


def _prunable(model: nn.Module) -> dict[str, nn.Parameter]:
    decayed = {
        parameter
        for group in parameter_groups(model, weight_decay=1.0)
        if group["weight_decay"] > 0
        for parameter in group["params"]
    }
    return {name: parameter for name, parameter in model.named_parameters() if parameter in decayed}


def _weights_kept(
    weights: dict[str, nn.Parameter],
    amount: float,
) -> dict[str, tuple[nn.Parameter, Tensor]]:
    magnitudes = torch.cat([weight.detach().abs().flatten() for weight in weights.values()])
    keep = torch.ones_like(magnitudes, dtype=torch.bool)
    # By place, not by value: of weights that are equal, a threshold would take all or none.
    keep[magnitudes.argsort()[: round(amount * len(magnitudes))]] = False
    masks = keep.split([weight.numel() for weight in weights.values()])
    return {
        name: (weight, mask.view_as(weight))
        for (name, weight), mask in zip(weights.items(), masks, strict=True)
    }


def _channels_kept(
    weights: dict[str, nn.Parameter],
    amount: float,
) -> dict[str, tuple[nn.Parameter, Tensor]]:
    kept = {}
    for name, weight in weights.items():
        channels = weight.shape[1]
        norms = weight.detach().transpose(0, 1).flatten(1).norm(dim=1)
        keep = torch.ones_like(norms, dtype=torch.bool)
        keep[norms.argsort()[: min(round(amount * channels), channels - 1)]] = False
        shape = [1, channels, *[1] * (weight.ndim - 2)]
        kept[name] = (weight, keep.view(shape).expand_as(weight))
    return kept
