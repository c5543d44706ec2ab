"""What waits is run in the order in which it is due, at once when hurried, and never after close."""

from __future__ import annotations

import queue
import threading

import pytest

from diurnal_worker.sinks.delayed import Delayed

SOON = 20.0
LONG = 1000.0


@pytest.fixture
def ran() -> queue.Queue[str]:
    return queue.Queue()


def test_calls_run_in_the_order_in_which_they_are_due(ran: queue.Queue[str]) -> None:
    delayed = Delayed()
    delayed.call(0.05, lambda: ran.put("second"))
    delayed.call(0.0, lambda: ran.put("first"))
    assert [ran.get(timeout=SOON), ran.get(timeout=SOON)] == ["first", "second"]


def test_what_is_due_earlier_does_not_wait_for_what_came_before(ran: queue.Queue[str]) -> None:
    delayed = Delayed()
    delayed.call(LONG, lambda: ran.put("late"))
    delayed.call(0.0, lambda: ran.put("early"))
    assert ran.get(timeout=SOON) == "early"
    delayed.close()


def test_hurried_calls_run_at_once(ran: queue.Queue[str]) -> None:
    delayed = Delayed()
    delayed.call(LONG, lambda: ran.put("hurried"))
    delayed.hurry()
    assert ran.get(timeout=SOON) == "hurried"


def test_nothing_runs_after_close_and_the_thread_ends(ran: queue.Queue[str]) -> None:
    before = set(threading.enumerate())
    delayed = Delayed()
    delayed.call(LONG, lambda: ran.put("never"))
    [thread] = set(threading.enumerate()) - before
    delayed.close()
    thread.join(SOON)
    assert not thread.is_alive()
    delayed.call(0.0, lambda: ran.put("never"))
    assert ran.empty()


def test_a_thread_lives_only_while_something_waits(ran: queue.Queue[str]) -> None:
    before = set(threading.enumerate())
    delayed = Delayed()
    delayed.call(LONG, lambda: ran.put("done"))
    [thread] = set(threading.enumerate()) - before
    delayed.hurry()
    thread.join(SOON)
    assert (ran.get(timeout=SOON), thread.is_alive()) == ("done", False)
