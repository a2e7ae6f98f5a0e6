"""The check on a CUDA device, where there is one."""

import torch

from .case import Case
from .checks import SOUND, Findings, check
from .findings import NotApplicable, finding
from .structure import convert, difference, tensors


@check(after=SOUND)
def cuda(case: Case) -> Findings:
    """On a CUDA device the module computes what it computes on the CPU, and it comes back whole."""
    if not torch.cuda.is_available():
        raise NotApplicable("no CUDA device")
    module = case.build(training=False)
    # TensorFloat-32 would differ from the CPU by design.
    with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        expected = case.call(module, case.inputs())
        module.to("cuda")
        inputs = tuple(convert(value, lambda tensor: tensor.to("cuda")) for value in case.inputs())
        output = case.call(module, inputs)
        for path, tensor in tensors(output, "output"):
            if tensor.device.type != "cuda":
                yield finding("cuda", path, "is left on the CPU", "NN302")
        actual = convert(output, lambda tensor: tensor.cpu())
        if text := difference(actual, expected, 1e-3):
            yield finding("cuda", "forward", f"CPU and CUDA disagree: {text}")
        module.to("cpu")
        back = case.call(module, case.inputs())
    if text := difference(back, expected):
        yield finding("cuda", "forward", f"another output after the way back: {text}")
