"""Activation checkpointing: compute a part of the model again rather than keep its insides."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .blocks import blocks

Context = contextlib.AbstractContextManager[None]


def recompute_activations(model: nn.Module) -> None:
    """Let each block keep its inputs alone, and compute the rest again in the backward pass.

    Parameters and buffers keep their names, and running statistics count every batch once.
    """
    for block in blocks(model):
        _recompute(block)


def _recompute(block: nn.Module) -> None:
    forward = block.forward

    @functools.wraps(forward)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*args, **kwargs)
        if torch.compiler.is_compiling():
            # A compiled graph runs its updates of buffers once anyway.
            return checkpoint(forward, *args, use_reentrant=False, **kwargs)
        contexts = functools.partial(_contexts, block)
        return checkpoint(forward, *args, use_reentrant=False, context_fn=contexts, **kwargs)

    # An attribute of the instance goes before the class's method: no wrapper, no other names.
    block.forward = checkpointed


def _contexts(block: nn.Module) -> tuple[Context, Context]:
    """Return the contexts of the first computation and of the second."""
    places = [
        (owner._buffers, name, buffer.clone())
        for owner in block.modules()
        for name, buffer in owner._buffers.items()
        if buffer is not None
    ]
    return contextlib.nullcontext(), _buffers_as_they_were(places)


@contextlib.contextmanager
def _buffers_as_they_were(places: list[tuple[dict[str, Any], str, Tensor]]) -> Iterator[None]:
    """Give the second computation what the first one found; what it changes is then dropped."""
    current = [buffers[name] for buffers, name, _ in places]
    for buffers, name, before in places:
        buffers[name] = before
    try:
        yield
    finally:
        for (buffers, name, _), buffer in zip(places, current, strict=True):
            buffers[name] = buffer
