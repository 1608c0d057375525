"""Stopping signals become one exception, raised where nothing is left half done."""

import signal

import pytest

from workers.stack.interruption import Interrupted, interruptible, shielded


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopping_signal_is_an_exception(signum: signal.Signals) -> None:
    """Each of the three signals ends the body, and the exit status tells which."""
    with pytest.raises(Interrupted) as raised, interruptible():
        signal.raise_signal(signum)
    assert raised.value.exit_status == 128 + signum


def test_a_shield_holds_the_signal_back() -> None:
    """A shielded block runs to its end before the exception, also a nested one."""
    done = []

    def work() -> None:
        with shielded():
            with shielded():
                signal.raise_signal(signal.SIGTERM)
            done.append("whole")
        done.append("never")

    with pytest.raises(Interrupted), interruptible():
        work()
    assert done == ["whole"]


def test_only_the_first_signal_counts() -> None:
    """A second Ctrl-C does not interrupt the stop."""
    stopped = []

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            stopped.append("all")

    with pytest.raises(Interrupted), interruptible():
        work()
    assert stopped == ["all"]


def test_handlers_are_put_back() -> None:
    """Afterwards the former handlers are back."""
    before = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)]
    with interruptible():
        pass
    assert [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)] == before
