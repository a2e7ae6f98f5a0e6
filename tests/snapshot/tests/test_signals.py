"""A signal to stop does what suits the moment, and is never lost."""

import signal

import pytest

from digit_classifier.distributed import ALONE
from digit_classifier.signals import NAMES, Stopped, StopSignals


@pytest.mark.parametrize("name", NAMES)
def test_a_signal_stops_at_once_where_nothing_is_under_way(name: str) -> None:
    number = getattr(signal, name)
    with StopSignals(), pytest.raises(Stopped) as stopped:
        signal.raise_signal(number)

    assert stopped.value.number == number


def test_a_held_signal_waits_until_it_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    def step(signals: StopSignals) -> None:
        assert signals.agreed(ALONE) == 0
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        raise Stopped(signals.agreed(ALONE))

    with StopSignals() as signals, pytest.raises(Stopped) as stopped, signals.held():
        step(signals)

    assert stopped.value.number == signal.SIGTERM
    assert capfd.readouterr().err.count("SIGTERM: stopping after this step.") == 1


def test_a_held_signal_that_nobody_asked_for_stops_then() -> None:
    with StopSignals() as signals, pytest.raises(Stopped) as stopped, signals.held():
        signal.raise_signal(signal.SIGINT)

    assert stopped.value.number == signal.SIGINT


def test_the_usual_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals():
        assert signal.getsignal(signal.SIGTERM) != before

    assert signal.getsignal(signal.SIGTERM) == before
