"""Pace: how long a stretch takes, when its events are due, and what a late shard may catch up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diurnal_worker.pace import Pace, Schedule
from diurnal_worker.timeline import Stretch

MINUTE = Stretch(0, 0, 0, 60_000_000)


def test_the_tighter_limit_decides_how_long_a_stretch_takes() -> None:
    assert Pace(100, None).seconds(500, 60_000_000) == 5
    assert Pace(None, 10).seconds(500, 60_000_000) == 6
    assert Pace(100, 10).seconds(500, 60_000_000) == 6
    assert Pace(50, 10).seconds(500, 60_000_000) == 10
    assert Pace().seconds(500, 60_000_000) == 0


def test_a_throttle_spreads_the_events_of_a_shard_evenly_over_the_worlds_time() -> None:
    due = Pace(100, None).due(np.array([1, 2, 3, 50_000_000]), MINUTE, 200)
    assert due.tolist() == [0.0, 0.5, 1.0, 1.5]


def test_a_speed_limit_leaves_events_at_their_own_times() -> None:
    due = Pace(1000, 10).due(np.array([0, 10_000_000, 59_000_000]), MINUTE, 3)
    assert due.tolist() == pytest.approx([0.0, 1.0, 5.9])


@given(
    st.lists(st.integers(0, 59_999_999), min_size=1, max_size=50).map(sorted),
    st.floats(0.5, 500),
    st.floats(0.5, 500),
    st.integers(0, 50),
)
def test_due_times_never_fall_nor_come_denser_than_the_throttle(
    times: list[int], rate: float, speed: float, others: int
) -> None:
    world = len(times) + others
    due = Pace(rate, speed).due(np.array(times), MINUTE, world)
    assert due[0] >= 0
    assert (np.diff(due) >= world / rate / len(times) - 1e-9).all()


def test_a_shard_may_send_its_share_of_the_throttle_in_a_second() -> None:
    assert Pace(100, 10).density(0.25) == 25
    assert Pace(None, 10).density(0.25) == float("inf")


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(1, 20)), min_size=1, max_size=60), st.integers(5, 80))
def test_no_second_holds_more_than_the_density_and_one_batch_however_late_a_shard_is(
    batches: list[tuple[float, int]], density: int
) -> None:
    schedule = Schedule(tolerance=1e9)
    schedule.begin(0.0, 100.0, density)
    now, sent = 0.0, []
    for late, events in batches:
        now += late
        while (wait := schedule.wait(now, 0.0)) > 0:
            now += wait
        schedule.sent(now, events)
        sent.append((now, events))
    for begin, _ in sent:
        inside = [events for when, events in sent if begin <= when < begin + 1.0 - 1e-9]
        assert sum(inside) <= density + max(events for _, events in batches)


def test_a_small_delay_is_caught_up_and_a_stall_is_not() -> None:
    schedule = Schedule(tolerance=0.5)
    schedule.begin(100.0, 10.0)
    assert schedule.wait(101.4, 1.0) == 0.0
    assert schedule.wait(101.4, 2.0) == pytest.approx(0.6)
    assert schedule.wait(105.0, 2.0) == 0.0
    assert schedule.wait(105.0, 3.0) == pytest.approx(1.0)


def test_stretches_lie_end_to_end_unless_one_begins_long_after() -> None:
    schedule = Schedule(tolerance=0.5)
    schedule.begin(100.0, 10.0)
    schedule.begin(110.3, 10.0)
    assert schedule.wait(110.3, 1.0) == pytest.approx(0.7)
    schedule.begin(150.0, 10.0)
    assert schedule.wait(150.0, 1.0) == pytest.approx(1.0)


def test_a_stretch_that_was_broken_off_does_not_hold_the_next_one_back() -> None:
    schedule = Schedule(tolerance=0.5)
    schedule.begin(100.0, 1000.0)
    schedule.forget()
    schedule.begin(101.0, 10.0)
    assert schedule.wait(101.0, 1.0) == pytest.approx(1.0)


def test_a_throttled_batch_collects_a_quarter_of_a_second_or_some_messages() -> None:
    pace = Pace(1000, None)
    assert pace.batch_seconds(1.0, 250, 1000, 60_000_000) == 0.25
    assert pace.batch_seconds(0.1, 250, 1000, 60_000_000) == 0.1
    assert pace.batch_seconds(1.0, 8, 1000, 60_000_000) == 0.5
    assert pace.batch_seconds(1.0, 0, 1000, 60_000_000) == 1.0
    assert Pace(1000, 1).batch_seconds(1.0, 250, 1000, 60_000_000) == 1.0
    assert Pace().batch_seconds(1.0, 250, 1000, 60_000_000) == 1.0
