"""What the exporters of torch say that nobody can act on."""

import contextlib
import logging
import warnings
from collections.abc import Iterator

LOGGERS = ("torch", "onnxscript", "onnx_ir")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings and logs of the exporters about their own code from the terminal.

    What matters shows in the comparison that follows; errors are raised as ever.
    """
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        # They log with a traceback what they then work around.
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
