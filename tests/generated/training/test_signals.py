"""A signal to stop does what suits the moment, and is never lost."""

from __future__ import annotations

import io
import signal
from typing import Any

import pytest
import torch
from digits.command import Stopped, run_command
from digits.signals import NAMES, StopSignals


@pytest.mark.parametrize("name", NAMES)
def test_a_signal_stops_at_once_where_nothing_is_under_way(name: str) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with StopSignals(), pytest.raises(Stopped) as stopped:
        signal.raise_signal(number)

    assert stopped.value.number == number
    assert signal.getsignal(number) == before


def test_a_held_signal_waits_until_it_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    def step(signals: StopSignals) -> None:
        assert signals.number == 0
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        raise Stopped(signals.number)

    with StopSignals() as signals, pytest.raises(Stopped) as stopped, signals.held():
        step(signals)

    assert stopped.value.number == signal.SIGTERM
    assert capfd.readouterr().err.count("SIGTERM: stopping after this step.") == 1


def test_a_held_signal_that_nobody_asked_for_stops_then() -> None:
    with StopSignals() as signals, pytest.raises(Stopped) as stopped, signals.held():
        signal.raise_signal(signal.SIGINT)

    assert stopped.value.number == signal.SIGINT


class Finalized:
    """An object at whose end a signal comes, and whatever that raises is dropped."""

    def __del__(self) -> None:
        """Raise the signal."""
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_strikes_where_nothing_can_be_raised_stops_at_the_next_step() -> None:
    steps = []

    def main() -> None:
        with StopSignals() as signals:
            Finalized()
            with signals.held():
                steps.append(signals.number)

    assert run_command(main) == 128 + signal.SIGTERM
    assert steps == [signal.SIGTERM]


def test_what_repeats_a_held_signal_is_ignored() -> None:
    with StopSignals() as signals:
        with pytest.raises(Stopped), signals.held():
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)

    assert signals.number == signal.SIGINT


class SignalledFile(io.BytesIO):
    """A file during whose second write a signal comes."""

    writes = 0

    def write(self, data: Any) -> int:
        """Raise the signal, then continue as any file."""
        self.writes += 1
        if self.writes == 2:
            signal.raise_signal(signal.SIGTERM)
        return super().write(data)


def test_a_stop_in_the_middle_of_a_file_is_a_stop_and_not_an_error() -> None:
    def main() -> None:
        with StopSignals():
            torch.save({"weight": torch.zeros(3)}, SignalledFile())

    with pytest.raises(RuntimeError, match="unexpected pos"):
        main()
    assert run_command(main) == 128 + signal.SIGTERM


def test_ctrl_c_in_the_middle_of_a_file_is_a_stop_too() -> None:
    def main() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("the file is unfinished")

    assert run_command(main) == 130


def test_any_other_error_stays_one() -> None:
    def main() -> None:
        with StopSignals():
            raise RuntimeError("the file is unfinished")

    with pytest.raises(RuntimeError, match="unfinished"):
        run_command(main)
