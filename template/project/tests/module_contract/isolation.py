"""What a check runs in: settings that come back, and a group of processes."""

import datetime
import gc
import logging
import random
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import distributed

from .findings import NotApplicable, require

# Parts of torch that it leaves without types.
_DETERMINISTIC: Any = torch.utils.deterministic
_DISTRIBUTED: Any = distributed
# How long a process waits for another one that takes no part.
PATIENCE = datetime.timedelta(seconds=15)


@contextmanager
def isolated() -> Iterator[None]:
    """Run a check with fixed seeds and put every global setting of torch back afterwards."""
    # Asking an idle CUDA for its random state would start it, on every device.
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    # Torch writes its trace whatever level is set: only its logger as a whole can be turned off.
    trace = logging.getLogger("torch.__trace")
    with ExitStack() as stack, torch.random.fork_rng(devices=devices), warnings.catch_warnings():
        stack.callback(random.setstate, random.getstate())
        if numpy := sys.modules.get("numpy"):
            stack.callback(numpy.random.set_state, numpy.random.get_state())
        fill = _DETERMINISTIC.fill_uninitialized_memory
        stack.callback(setattr, _DETERMINISTIC, "fill_uninitialized_memory", fill)
        enabled = torch.are_deterministic_algorithms_enabled()
        warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
        stack.callback(torch.use_deterministic_algorithms, enabled, warn_only=warn_only)
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        stack.callback(torch.set_grad_enabled, torch.is_grad_enabled())
        stack.callback(logging.disable, logging.root.manager.disable)
        stack.callback(setattr, trace, "disabled", trace.disabled)
        seed_everything(0)
        torch.set_grad_enabled(True)
        # What torch's compilers and exporters log of their own work is not for a test's report.
        logging.disable(logging.WARNING)
        trace.disabled = True
        # Torch warns about its own experimental parts; under `-W error` that would fail a check.
        warnings.simplefilter("ignore")
        yield


def seed_everything(seed: int) -> None:
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed)
    torch.manual_seed(seed)


def mark_uninitialised_memory() -> None:
    """For the rest of a check, fill what `torch.empty` returns: with NaN, or integers' maximum."""
    torch.use_deterministic_algorithms(True)
    _DETERMINISTIC.fill_uninitialized_memory = True


def require_gloo() -> None:
    available = distributed.is_available() and distributed.is_gloo_available()
    require(available, "torch is built without torch.distributed over gloo")


@contextmanager
def process_group(address: str = "", *, rank: int = 0, size: int = 1) -> Iterator[None]:
    """Be in the group that meets at an address, or in one alone; leave no DDP wrapper behind."""
    require_gloo()
    require(not distributed.is_initialized(), "a process group exists already")
    store = None if address else _DISTRIBUTED.HashStore()
    # What is there before cannot refer to a wrapper, and takes a tenth of a second to look through.
    gc.freeze()
    options: Any = {"rank": rank, "world_size": size, "timeout": PATIENCE}
    try:
        distributed.init_process_group("gloo", address or None, store=store, **options)
    except RuntimeError as error:
        gc.unfreeze()
        raise NotApplicable(f"gloo does not start here: {error}") from None
    try:
        yield
        if size > 1:
            # Who leaves early takes away what the others may still be talking to.
            distributed.barrier()
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)
        raise
    finally:
        # Whoever lets go of the group last waits for gloo's threads, which need Python's lock to
        # let go of their last tensors. torch.distributed waits without that lock, a DDP wrapper
        # with it, for ever: it has to be gone by now, out of any cycle too.
        gc.collect()
        gc.unfreeze()
        distributed.destroy_process_group()
