"""The check of the examples in docstrings: they run, and give what they show."""

import doctest
import sys
import warnings
from pathlib import Path

from .case import Case
from .checks import BUILT, Findings, check
from .findings import NotApplicable, finding
from .source import is_torch


@check(after=BUILT, calls_forward=False)
def examples(case: Case) -> Findings:
    """The examples in the docstrings of the module's file give what they show."""
    file = sys.modules.get(type(case.build()).__module__)
    if file is None or is_torch(getattr(file, "__file__", None) or ""):
        raise NotApplicable("the module's file is not the author's")
    tests = [test for test in doctest.DocTestFinder().find(file) if test.examples]
    if not tests:
        raise NotApplicable("no docstring of the module's file has an example")
    for test in tests:
        yield from failures(test)


def failures(test: doctest.DocTest) -> Findings:
    """What the first example that fails in a docstring says instead; warnings fail it too."""
    runner = doctest.DebugRunner(optionflags=doctest.ELLIPSIS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            runner.run(test)
    except doctest.DocTestFailure as failure:
        example = failure.example
        problem = f"gives {line(failure.got)}, not {line(example.want)}"
    except doctest.UnexpectedException as failure:
        example = failure.example
        kind, error, _ = failure.exc_info
        problem = f"raises {kind.__name__}: {line(str(error))}"
    else:
        return
    place = f"{Path(test.filename or test.name).name}:{(test.lineno or 0) + example.lineno + 1}"
    advice = "Correct the example, or the code."
    yield finding("examples", place, f"`{line(example.source)}` {problem}", advice=advice)


def line(text: str) -> str:
    """A text in one line, as a report needs it."""
    return " ".join(text.split()).rstrip(".") or "nothing"
