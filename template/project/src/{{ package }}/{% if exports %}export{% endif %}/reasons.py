"""Why a model cannot be exported, in the model's own terms."""

import traceback
from pathlib import Path

from torch import nn

from ..errors import InputError


def explain(error: Exception, model: nn.Module, log: Path) -> InputError:
    """Return the error to tell; the whole of what was raised goes into the log."""
    log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return InputError(f"{type(model).__name__} cannot be exported; {log} says why.")
