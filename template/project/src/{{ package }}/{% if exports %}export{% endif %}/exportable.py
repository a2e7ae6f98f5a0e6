"""Whether a model keeps the rules of the contract that every export needs."""

from torch import Tensor, nn


def refuse_broken_contracts(model: nn.Module, example: Tensor) -> None:
    """Refuse a model that breaks one."""
