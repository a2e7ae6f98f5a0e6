"""A group of processes over gloo, gone afterwards, and a file where its processes meet."""

import datetime
import gc
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import distributed

from .findings import NotApplicable

# How long a process waits for another one that takes no part.
PATIENCE = datetime.timedelta(seconds=15)


def require_gloo() -> None:
    """Leave the check if torch comes without what a group is made of."""
    if not distributed.is_available() or not distributed.is_gloo_available():
        raise NotApplicable("torch is built without torch.distributed over gloo")


@contextmanager
def meeting_place() -> Iterator[str]:
    """The address of a file where the processes of one group find each other."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder, "store").as_uri()


@contextmanager
def process_group(address: str, *, rank: int = 0, size: int = 1) -> Iterator[None]:
    """Be a process of the group that meets at this address; the block must leave no DDP wrapper."""
    if distributed.is_initialized():
        raise NotApplicable("a process group exists already")
    try:
        distributed.init_process_group(
            "gloo", address, rank=rank, world_size=size, timeout=PATIENCE
        )
    except RuntimeError as error:
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
        distributed.destroy_process_group()
