"""A check leaves no trace: random state, precision, determinism and gradient mode come back."""

import logging
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

# Parts of torch that it leaves without types.
_CUDA: Any = torch.cuda
_DETERMINISTIC: Any = torch.utils.deterministic


@contextmanager
def isolated() -> Iterator[None]:
    """Run a check with fixed seeds and put every global setting of torch back afterwards."""
    python_state = random.getstate()
    numpy = sys.modules.get("numpy")
    numpy_state = numpy.random.get_state() if numpy else None
    dtype = torch.get_default_dtype()
    gradients = torch.is_grad_enabled()
    # Asking an idle CUDA for its random state would start it, on every device.
    busy = _CUDA.is_initialized()
    devices = range(torch.cuda.device_count()) if busy else ()
    with (
        torch.random.fork_rng(devices=devices),
        deterministic_mode_restored(),
        logs_silenced(),
        warnings.catch_warnings(),
    ):
        # Torch warns about its own experimental parts; under `-W error` that would fail a check.
        warnings.simplefilter("ignore")
        seed_everything(0)
        torch.set_grad_enabled(True)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(gradients)
            random.setstate(python_state)
            if numpy:
                numpy.random.set_state(numpy_state)


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's (where it is in use) and torch's generators."""
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def logs_silenced() -> Iterator[None]:
    """Keep out of a test's report what torch's compilers and exporters tell of their own work."""
    # Torch writes its trace whatever level is set: only its logger as a whole can be turned off.
    trace = logging.getLogger("torch.__trace")
    before = logging.root.manager.disable, trace.disabled
    logging.disable(logging.WARNING)
    trace.disabled = True
    try:
        yield
    finally:
        logging.disable(before[0])
        trace.disabled = before[1]


@contextmanager
def deterministic_mode_restored() -> Iterator[None]:
    """Put the deterministic mode back, its warning level and its filling of memory too."""
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = _DETERMINISTIC.fill_uninitialized_memory
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        _DETERMINISTIC.fill_uninitialized_memory = fill


@contextmanager
def uninitialised_memory_marked() -> Iterator[None]:
    """Fill what `torch.empty` returns with NaN, and integers with their maximum."""
    with deterministic_mode_restored():
        torch.use_deterministic_algorithms(True)
        _DETERMINISTIC.fill_uninitialized_memory = True
        yield
