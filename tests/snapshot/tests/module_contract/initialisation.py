"""Checks of initial values: nothing of a new module is memory that nobody wrote."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .case import Case, is_lazy
from .checks import BUILT, Findings, check
from .findings import NotApplicable, finding
from .isolation import uninitialised_memory_marked
from .walk import submodules


@check(after=("construction", "registry"), calls_forward=False)
def initialisation(case: Case) -> Findings:
    """Every parameter has a value that something wrote."""
    with uninitialised_memory_marked():
        module = case.build()
    for name, parameter in module.named_parameters():
        if unwritten(parameter):
            yield finding("initialisation", name, "nothing writes its initial values", "NN108")


@check(after=BUILT, calls_forward=False)
def meta_initialisation(case: Case) -> Findings:
    """Built on the meta device, `to_empty` and `reset_parameters()` give a whole module."""
    module = case.raw_build(device="meta")
    if is_lazy(module):
        raise NotApplicable("a lazy module has no shapes before its first forward")
    ordinary = dict(state_of(case.build()))
    with uninitialised_memory_marked():
        module.to_empty(device="cpu")
        # Children first: what a parent does to them in its own reset comes last.
        module.apply(reset)
    without = [path for path, part in submodules(module) if not reset_of(part)]
    for name, tensor in state_of(module):
        # A mask may be all True by right: what an ordinary build shows too is no sign.
        if unwritten(tensor) and not unwritten(ordinary.get(name, tensor)):
            owner = name.rpartition(".")[0]
            missing = "has no reset_parameters()" if owner in without else "does not fill it"
            kind = type(module.get_submodule(owner)).__name__
            problem = f"stays unwritten after `to_empty()`: {kind} {missing}"
            yield finding("meta_initialisation", name, problem, "NN108")
        elif tensor.is_floating_point() and not tensor.isnan().any():
            regular = ordinary.get(name, tensor)
            if not tensor.isfinite().all() and regular.isfinite().all():
                problem = "is not finite after `reset_parameters()`"
                yield finding("meta_initialisation", name, problem, "NN108")


def reset(module: nn.Module) -> None:
    """Call the module's own `reset_parameters()`, if it has one."""
    if method := reset_of(module):
        method()


def reset_of(module: nn.Module) -> Callable[[], object] | None:
    """The module's `reset_parameters`, if it has one."""
    method = getattr(module, "reset_parameters", None)
    return method if callable(method) else None


def state_of(module: nn.Module) -> list[tuple[str, Tensor]]:
    """All parameters and buffers, those outside the state dict too."""
    return [*module.named_parameters(), *module.named_buffers()]


def unwritten(tensor: Tensor) -> bool:
    """Whether a tensor still shows the mark of memory that nothing wrote."""
    if tensor.numel() == 0 or tensor.is_meta or tensor.is_quantized:
        return False
    if tensor.is_floating_point() or tensor.is_complex():
        return bool(tensor.isnan().any())
    if tensor.dtype is torch.bool:
        return bool(tensor.all())
    return bool((tensor == torch.iinfo(tensor.dtype).max).all())
