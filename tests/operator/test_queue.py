"""The queue of keys under a clock of the test."""

from __future__ import annotations

from diurnal_operator.queue import KeyQueue


def test_a_key_asked_for_often_is_worked_on_once() -> None:
    queue: KeyQueue[str] = KeyQueue()
    for _ in range(5):
        queue.add("a", 0.0)
    assert queue.take(0.0) == "a"
    assert queue.take(0.0) is None


def test_a_key_that_is_worked_on_waits_for_its_end() -> None:
    queue: KeyQueue[str] = KeyQueue()
    queue.add("a", 0.0)
    queue.take(0.0)
    queue.add("a", 1.0)
    assert queue.take(1.0) is None
    queue.done("a", None)
    assert queue.take(1.0) == "a"


def test_of_several_askings_the_earliest_counts() -> None:
    queue: KeyQueue[str] = KeyQueue()
    queue.add("a", 9.0)
    queue.add("a", 3.0)
    queue.add("a", 60.0)
    assert queue.take(2.9) is None
    assert queue.next_due() == 3.0
    assert queue.take(3.0) == "a"


def test_who_waits_longest_comes_first() -> None:
    queue: KeyQueue[str] = KeyQueue()
    queue.add("late", 2.0)
    queue.add("early", 1.0)
    assert queue.take(5.0) == "early"


def test_failures_wait_twice_as_long_each_time_and_an_event_does_not_shorten_it() -> None:
    queue: KeyQueue[str] = KeyQueue(first=0.5, longest=3.0)
    waits = []
    now = 0.0
    for _ in range(5):
        queue.add("a", now)
        now = queue.next_due() or now
        assert queue.take(now) == "a"
        queue.add("a", now)
        waits.append(queue.failed("a", now))
        assert queue.take(now) is None
    assert waits == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_server_may_ask_for_a_longer_wait() -> None:
    queue: KeyQueue[str] = KeyQueue(first=0.5)
    queue.add("a", 0.0)
    queue.take(0.0)
    assert queue.failed("a", 0.0, at_least=7.0) == 7.0


def test_success_forgets_failures() -> None:
    queue: KeyQueue[str] = KeyQueue(first=0.5)
    for wait in (0.5, 1.0):
        queue.add("a", 0.0)
        queue.take(10.0)
        assert queue.failed("a", 0.0) == wait
    queue.take(10.0)
    queue.done("a", None)
    queue.add("a", 20.0)
    queue.take(20.0)
    assert queue.failed("a", 20.0) == 0.5


def test_work_that_hangs_and_keys_that_wait_show() -> None:
    queue: KeyQueue[str] = KeyQueue()
    queue.add("a", 0.0)
    queue.add("b", 1.0)
    queue.take(0.0)
    assert (queue.longest_work(30.0), queue.most_overdue(30.0)) == (30.0, 29.0)


def test_what_a_server_asked_to_wait_for_waits_whoever_asks() -> None:
    queue: KeyQueue[str] = KeyQueue()
    queue.add("a", 0.0)
    assert queue.take(0.0) == "a"
    assert queue.failed("a", 0.0, at_least=5.0) == 5.0
    queue.add("a", 1.0)
    assert queue.take(4.9) is None
    assert queue.take(5.0) == "a"
    queue.done("a", None)
    queue.add("a", 6.0)
    assert queue.take(6.0) == "a"


def test_what_failed_by_itself_is_tried_earlier_when_something_happens() -> None:
    queue: KeyQueue[str] = KeyQueue(first=10.0)
    queue.add("a", 0.0)
    queue.take(0.0)
    queue.failed("a", 0.0)
    queue.add("a", 1.0)
    assert queue.take(1.0) == "a"
