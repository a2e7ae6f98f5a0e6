"""A signal to end is not lost, wherever it strikes."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

_FRAME = """
import os, signal, sys, time
from scaffolder.cli.signals import Stopped, raise_signals, causing_signal

raise_signals()
try:
    {strike}
    time.sleep(300)
except BaseException as error:
    print(causing_signal(error))
    sys.exit(5)
"""


@pytest.mark.parametrize(
    ("where", "strike"),
    [
        ("plain code", "os.kill(os.getpid(), signal.SIGTERM)"),
        ("the exec of a text", "exec('os.kill(os.getpid(), signal.SIGTERM)')"),
        (
            "a finaliser",
            "type('X', (), {'__del__': lambda self: os.kill(os.getpid(), signal.SIGTERM)})()",
        ),
        (
            "a cleanup that then fails",
            """
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        os.rmdir('/nowhere/at/all')
""",
        ),
    ],
)
def test_a_signal_is_reported_wherever_it_strikes(where: str, strike: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_FRAME).format(strike=strike)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (result.stdout, result.stderr, result.returncode) == ("15\n", "", 5), where


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_a_signal_that_the_caller_ignores_is_ignored(name: str) -> None:
    """As nohup wants it of SIGHUP, and a script's background job of SIGINT."""
    code = f"""
import signal
from scaffolder.cli.signals import raise_signals

signal.signal(signal.{name}, signal.SIG_IGN)
raise_signals()
signal.raise_signal(signal.{name})
print("went on")
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert (result.stdout, result.stderr, result.returncode) == ("went on\n", "", 0)
