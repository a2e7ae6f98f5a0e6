"""What the exporters of torch say that nobody can act on."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

LOGGERS = ("torch", "torchao", "onnxscript", "onnx_ir")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what the exporters warn of, log and print about their own code from the terminal.

    What matters shows in the comparison that follows; errors are raised as ever.
    """
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        # They log with a traceback what they then work around.
        logger.setLevel(logging.CRITICAL)
    try:
        # torch.export prints a program as far as it came, before it raises.
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
