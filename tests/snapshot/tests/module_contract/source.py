"""Where in the module's own source something happened, past torch's frames and the suite's."""

import os
import re
import sys
import traceback
from pathlib import Path
from types import FrameType

import torch

_TORCH = f"{Path(torch.__file__).parent}{os.sep}"
# Torch's files that only pass on what their caller asked for, such as `module.to("cuda")`.
_PASSED_ON = {
    str(Path(_TORCH, name)) for name in ("overrides.py", "_tensor.py", "nn/modules/module.py")
}
_SUITE = f"{Path(__file__).parent}{os.sep}"


def is_torch(filename: str) -> bool:
    """Whether a file belongs to torch itself."""
    return filename.startswith(_TORCH)


def is_foreign(filename: str) -> bool:
    """Whether a file is torch's or the suite's, so no place that an author could mend."""
    return is_torch(filename) or filename.startswith((_SUITE, "<"))


def place_of(error: BaseException) -> str:
    """The innermost line of the author's code that an exception passed."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not is_foreign(frame.filename):
            return f"{Path(frame.filename).name}:{frame.lineno}"
    return "forward"


def place_in(stack: str) -> str:
    """The innermost line of the author's code in the text of a stack; nothing without one."""
    for filename, line in reversed(re.findall(r'File "(.+)", line (\d+)', stack)):
        if not is_foreign(filename):
            return f"{Path(filename).name}:{line}"
    return ""


def called_by_author() -> str:
    """`file:line` of the author's line that called torch; nothing if torch called itself."""
    frame: FrameType | None = sys._getframe(2)
    while frame and frame.f_code.co_filename in _PASSED_ON:
        frame = frame.f_back
    if frame is None or is_torch(frame.f_code.co_filename):
        return ""
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def author_line() -> str:
    """`file:line` of the innermost line of the author's code that is running now."""
    frame: FrameType | None = sys._getframe(2)
    while frame and is_foreign(frame.f_code.co_filename):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}" if frame else "forward"
