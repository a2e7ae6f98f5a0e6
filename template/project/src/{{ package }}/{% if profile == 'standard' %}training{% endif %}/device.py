"""Where to compute and in which type, and how much memory that takes."""

import contextlib
import sys
import warnings
from typing import Any

import torch
from torch.amp import GradScaler

from ..command import InputError
from ..distributed.processes import SINGLE, Processes
from .config import TrainConfig

MIB = 2**20
TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str, processes: Processes = SINGLE) -> torch.device:
    """Return the device of this name; ``auto`` takes CUDA, else MPS, else the CPU.

    Each of several processes on a machine takes the GPU of its local rank.
    """
    if name == "auto":
        name = _best_available(processes)
    elif processes.world_size > 1 and name not in ("cpu", "cuda"):
        raise InputError(f"Several processes cannot share device {name!r}: take auto, cuda or cpu.")
    if name == "cuda":
        name = f"cuda:{processes.local_rank}"
    gpus = torch.cuda.device_count()
    if name.startswith("cuda") and processes.local_rank >= max(gpus, 1):
        raise InputError(
            f"There are {gpus} GPUs for the processes of this machine: start no more than that, or "
            f"take --device cpu."
        )
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"There is no device {name!r}; use --device auto.") from error
    try:
        # Only a tensor that went there and back shows that this torch can use the device.
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, ImportError) as error:
        # The first sentence; a long text about torch's build may follow.
        reason = str(error).strip().splitlines()[0].partition(". ")[0]
        raise InputError(f"Cannot use device {name!r} ({reason}); use --device auto.") from error
    if device.type == "cuda":
        # NCCL and torch's own defaults take the current device.
        torch.cuda.set_device(device)
    return device


def autocast(config: TrainConfig, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Return a context, for every step anew, in which matrix products take the narrow type."""
    dtype = TYPES.get(config.precision)
    # Without a narrow type there is nothing to pay for.
    return torch.autocast(device.type, dtype) if dtype else contextlib.nullcontext()


def build_scaler(config: TrainConfig, device: torch.device) -> GradScaler:
    """Return what keeps small gradients from vanishing in float16; for other types it does nothing.

    It leaves out a step whose gradients became too large, the first few of a run for example.
    """
    enabled = config.precision == "fp16"
    if enabled:
        # To a schedule, a first step that is left out looks like one that was forgotten.
        warnings.filterwarnings("ignore", r"Detected call of `lr_scheduler\.step\(\)` before")
    return GradScaler(device.type, enabled=enabled)


def peak_memory(device: torch.device) -> dict[str, float]:
    """Return this process's peak in MiB, under a name that says of which memory.

    On CUDA it is what tensors took on the GPU since ``reset_peak_memory``, else what the whole
    process took since it began; Windows does not report it, and then there is none.
    """
    if device.type == "cuda":
        return {"peak_gpu_memory_mib": round(torch.cuda.max_memory_allocated(device) / MIB, 1)}
    resource: Any
    try:
        import resource
    except ImportError:
        return {}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, the others KiB.
    unit = 1 if sys.platform == "darwin" else 1024
    return {"peak_memory_mib": round(peak * unit / MIB, 1)}


def reset_peak_memory(device: torch.device) -> None:
    """Start a new peak, where that is possible."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _best_available(processes: Processes) -> str:
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available() and processes.world_size == 1:
        return "mps"
    return "cpu"
