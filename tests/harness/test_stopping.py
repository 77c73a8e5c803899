"""A signal stops the work, wherever it falls."""

import ctypes
import signal
import sys

import pytest

from bastzoo.engine.checkpoint import Interrupted
from bastzoo.harness.stopping import Stopping


def test_a_signal_within_a_callback_of_c_code_is_neither_lost_nor_printed(capfd):
    callback = ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGTERM))
    with Stopping() as stopping:
        callback()  # what is raised in there never comes out
        assert stopping.signal == signal.SIGTERM
        with pytest.raises(Interrupted), stopping.deferred():
            pass
    assert "Traceback" not in capfd.readouterr().err


def test_what_cannot_be_raised_is_passed_on_when_it_is_no_interrupt(monkeypatch):
    heard = []
    monkeypatch.setattr(sys, "unraisablehook", lambda of: heard.append(of.exc_value))

    def fail() -> None:
        raise ValueError("of another kind")

    with Stopping():
        ctypes.CFUNCTYPE(None)(fail)()
    assert [str(error) for error in heard] == ["of another kind"]


def test_a_first_signal_waits_and_a_second_one_does_not():
    after = []

    def twice(stopping: Stopping) -> None:
        with stopping.deferred():
            signal.raise_signal(signal.SIGTERM)
            after.append(stopping.signal)
            signal.raise_signal(signal.SIGTERM)
            after.append("the second signal did not stop it")

    with Stopping() as stopping, pytest.raises(Interrupted):
        twice(stopping)
    assert after == [signal.SIGTERM]
