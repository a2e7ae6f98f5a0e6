"""The parts of a model that are sharded, or computed again, as a whole."""

from collections.abc import Iterator

from torch import nn


def blocks(model: nn.Module) -> Iterator[nn.Module]:
    """Give the model's direct children that have parameters.

    A ModuleList or a ModuleDict is never called itself: its members stand for it.
    """
    for child in model.children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield from blocks(child)
        elif any(True for _ in child.parameters()):
            yield child
