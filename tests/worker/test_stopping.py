"""A stop that a signal handler asks for in the middle of the wait for it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from diurnal_worker.machine_clock import BootClock
from diurnal_worker.stopping import Stop


@contextmanager
def told_by(number: signal.Signals, stop: Stop) -> Iterator[None]:
    before = signal.signal(number, lambda *_: stop.set())
    try:
        yield
    finally:
        signal.signal(number, before)


def test_a_handler_ends_the_wait_of_its_own_thread_at_once() -> None:
    stop, clock = Stop(), BootClock()
    with told_by(signal.SIGUSR1, stop):
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        began = clock.monotonic()
        assert stop.wait(60.0)
    assert clock.monotonic() - began < 30.0
    assert stop.is_set()


def test_handlers_that_come_at_every_point_of_a_wait_never_lock_it() -> None:
    """An event with a lock hangs here: its handler waits for what its own thread holds."""
    stop = Stop()
    with told_by(signal.SIGALRM, stop):
        signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
        try:
            for _ in range(100_000):
                stop.wait(0.0)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
    assert stop.is_set()


def test_asked_a_hundred_thousand_times_it_is_asked_once() -> None:
    stop = Stop()
    for _ in range(100_000):
        stop.set()
    assert stop.wait(60.0)


def test_nobody_asked() -> None:
    stop = Stop()
    assert not stop.wait(0.01)
    assert not stop.is_set()
