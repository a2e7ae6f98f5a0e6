"""The most memory that a run has taken."""

import sys
from typing import Any

import torch

MIB = 2**20


def peak_memory(device: torch.device) -> dict[str, float]:
    """Return this process's peak in MiB, under a name that says of which memory.

    On CUDA it is what tensors took on the GPU since ``forget_peak``, else what the whole process
    took since it began; Windows does not tell, and then there is none.
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


def forget_peak(device: torch.device) -> None:
    """Begin to count anew, where that is possible."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
