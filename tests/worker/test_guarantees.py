"""The guarantees of a run, asked of all its shards under a fake clock while everything goes wrong.

One stream: whatever the shards, restarts and changes, the events are those of one uninterrupted pass.
Nothing lost; repeats only after a crash and within the promised reach; clocks never fall; the budget holds;
shards stay together. The harness itself asserts at every send and save what must hold at every moment.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diurnal_api.layout import SLOTS, earliest, furthest
from diurnal_api.spec import Spec
from diurnal_worker.shard import Settings
from harness import (
    HOUR,
    MINUTE,
    START,
    Run,
    assert_one_stream,
    before,
    dense,
    in_the_worlds_order,
    lines,
    spec,
    time_of,
)

pytestmark = pytest.mark.usefixtures("either_way")

ANY_SHARDS = (1, 2, 3, 7, 64)
FEW_SHARDS = st.sampled_from((1, 2, 3, 7))


def searched(examples: int) -> settings:
    """How long to look for a counterexample; an example may take a second."""
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def disturbances(draw: st.DrawFn) -> tuple[int, str, int, int]:
    """(steps before it, what happens, a number for it, shards afterwards)."""
    kinds = ("kill", "crash", "kill all", "stop all", "traffic", "traffic after a crash", "store")
    return (
        draw(st.integers(1, 80)),
        draw(st.sampled_from(kinds)),
        draw(st.integers(0, 100)),
        draw(FEW_SHARDS),
    )


def disturb(run: Run, kind: str, number: int, shards: int) -> None:
    """Does one thing to a run and lets it go on."""
    run.store_fails = 0.0
    if kind == "kill":
        run.kill(number % int(run.plan.shards))
    elif kind == "crash":
        run.crash_after(number // 4)
    elif kind == "store":
        run.store_fails = 0.7
    else:
        if kind in {"kill all", "traffic after a crash"}:
            run.kill_all()
        else:
            run.stop_all()
        wanted = run.spec
        if kind.startswith("traffic"):
            rate = {"rate": {"eventsPerSecond": (0.05, 0.1, 0.2, 0.3)[number % 4]}}
            wanted = spec(**{**changes_of(run), "traffic": rate})
        run.follow(wanted, shards)


def changes_of(run: Run) -> dict[str, Any]:
    throttle = run.spec.budget.max_messages_per_second
    return {"hours": 2, "budget__maxMessagesPerSecond": throttle}


@searched(60)
@given(
    shards=FEW_SHARDS,
    throttle=st.sampled_from(("Unlimited", 100)),
    what=st.lists(disturbances(), max_size=6),
    seed=st.integers(0, 2**16),
)
def test_whatever_happens_the_events_are_those_of_one_uninterrupted_pass(
    shards: int, throttle: object, what: list[tuple[int, str, int, int]], seed: int
) -> None:
    run = Run(spec(hours=2, budget__maxMessagesPerSecond=throttle), shards, seed)
    for steps, kind, number, then in what:
        if run.go(steps):
            break
        disturb(run, kind, number, then)
    run.finish()
    assert_one_stream(run)
    assert earliest(run.position()) == run.plan.pace.end


@pytest.mark.parametrize("shards", ANY_SHARDS)
def test_any_number_of_shards_makes_the_same_stream_and_repeats_nothing(shards: int) -> None:
    run = Run(spec(hours=1), shards).finish()
    assert_one_stream(run)
    assert run.received().total() == len(run.received())
    assert set(run.received()) == set(in_the_worlds_order(Run(spec(hours=1), 1).plan))


def test_a_run_goes_from_one_shard_through_sixty_four_to_three_after_crashes() -> None:
    run = Run(spec(hours=1), 1, seed=5)
    for shards in (64, 7, 3):
        run.go(30)
        run.kill_all()
        run.follow(run.spec, shards)
    run.finish()
    assert_one_stream(run)


@searched(15)
@given(shards=FEW_SHARDS, then=FEW_SHARDS, steps=st.integers(5, 150), seed=st.integers(0, 99))
def test_after_a_graceful_stop_exactly_the_events_before_the_clocks_are_out(
    shards: int, then: int, steps: int, seed: int
) -> None:
    run = Run(spec(hours=2, budget__maxMessagesPerSecond=50), shards, seed)
    run.go(steps)
    if run.stop_all():
        assert set(run.received()) == before(run, run.position())
        assert run.received().total() == len(run.received())
    run.follow(run.spec, then)
    run.finish()
    assert_one_stream(run)


@searched(10)
@given(offset=st.integers(0, 2 * HOUR), shards=FEW_SHARDS)
def test_a_start_at_any_microsecond_yields_the_tail_of_an_earlier_start(offset: int, shards: int) -> None:
    earlier = Run(spec(hours=2.5), 1)
    late = START + offset
    start = f"{np.datetime64(late, 'us')}Z"
    run = Run(spec(hours=2.5, clock__start=start), shards).finish()
    assert_one_stream(run)
    assert set(run.received()) == set(lines(earlier.workshop, start=late))


def test_a_change_of_traffic_begins_where_the_furthest_promise_of_any_crashed_shard_ends() -> None:
    run = Run(spec(hours=3), 2, seed=3)
    run.go(60)
    run.kill_all()
    run.follow(run.spec, 3)  # an epoch in between, whose shards know nothing of that promise
    run.go(1)
    run.stop_all()
    promised = max(c.reach for c in run.crashes)
    run.follow(spec(hours=3, events_per_second=0.05), 3)
    assert run.plan.regimes[-1].start >= promised
    run.finish()
    assert_one_stream(run)


def test_a_shard_that_crashed_and_then_stops_well_keeps_the_promise_of_before() -> None:
    run = Run(spec(hours=3, budget__maxMessagesPerSecond=50), 1, seed=1)
    run.go(40)
    run.kill(0)
    crashed = run.crashes[-1]
    run.go(1)
    run.stop_all()
    stored = run.checkpoint(0)
    assert stored is not None
    assert stored.reach >= crashed.reach > crashed.begin


def test_a_store_that_is_away_holds_the_run_back_and_loses_nothing() -> None:
    run = Run(spec(hours=1), 2, seed=4, store_fails=1.0)
    run.go(500)
    assert not run.deliveries
    run.finish()
    assert_one_stream(run)


# Totals.


@pytest.mark.parametrize("shards", ANY_SHARDS)
def test_a_total_ends_with_exactly_the_first_events_of_the_world(shards: int) -> None:
    whole = in_the_worlds_order(Run(spec(hours=1), 1).plan)
    total = len(whole) // 2
    run = Run(spec(hours=1, budget__maxMessages=total), shards).finish()
    assert run.received() == dict.fromkeys(whole[:total], 1)
    assert {run.checkpoint(n).state for n in range(shards)} == {"BudgetExhausted"}  # type: ignore[union-attr]


@pytest.mark.parametrize(("shards", "then"), [(1, 1), (3, 3), (2, 7), (7, 2)])
def test_a_raised_total_goes_on_without_loss_or_repeat(shards: int, then: int) -> None:
    whole = in_the_worlds_order(Run(spec(hours=1), 1).plan)
    run = Run(spec(hours=1, budget__maxMessages=100), shards).finish()
    for total in (101, 250):
        run.stop_all()
        run.follow(spec(hours=1, budget__maxMessages=total), then)
        run.finish()
        assert run.received() == dict.fromkeys(whole[:total], 1)


def test_a_total_raised_while_the_shards_rest_wakes_them() -> None:
    whole = in_the_worlds_order(Run(spec(hours=1), 1).plan)
    run = Run(spec(hours=1, budget__maxMessages=100), 3).finish()
    run.repace(spec(hours=1, budget__maxMessages=300))
    run.finish()
    assert run.received() == dict.fromkeys(whole[:300], 1)


@searched(10)
@given(total=st.integers(1, 300), shards=FEW_SHARDS, steps=st.integers(1, 60), seed=st.integers(0, 99))
def test_a_total_is_the_same_set_after_crashes_too(total: int, shards: int, steps: int, seed: int) -> None:
    wanted = spec(hours=1, budget__maxMessages=total)
    run = Run(wanted, shards, seed)
    if not run.go(steps):
        run.kill_all()
        run.follow(wanted, shards % 3 + 1)
    run.finish()
    assert set(run.received()) == set(in_the_worlds_order(Run(spec(hours=1), 1).plan)[:total])


# Pace.


def most_in_a_second(run: Run, at: str = "sent", width: float = 1.0) -> int:
    """The most messages in any window of `width` seconds, by when they were sent, or arrived."""
    sent = sorted((getattr(d, at), d.messages) for d in run.deliveries)
    times = np.array([when for when, _ in sent])
    sums = np.concatenate([[0], np.cumsum([messages for _, messages in sent])])
    ends = np.searchsorted(times, times + width - 1e-9)
    return int((sums[ends] - sums[: times.size]).max())


PACED = Settings(checkpoint=2.0, most_messages=1000)


@searched(12)
@given(
    shards=FEW_SHARDS,
    most=st.sampled_from((5, 40, 1000)),
    step=st.sampled_from((0.0, 0.05, 0.2)),
    kill=st.booleans(),
    seed=st.integers(0, 99),
)
def test_no_second_carries_more_than_the_throttle_and_one_batch_a_shard(
    shards: int, most: int, step: float, kill: bool, seed: int
) -> None:
    throttle = 100
    wanted = spec(events_per_second=0.5, hours=2, budget__maxMessagesPerSecond=throttle)
    run = Run(wanted, shards, seed, replace(PACED, most_messages=most), step_seconds=step)
    run.go(60)
    if kill:
        run.kill(0)
    run.finish()
    batch = max(d.messages for d in run.deliveries)
    assert batch <= min(most, throttle)
    assert most_in_a_second(run) <= throttle + shards * batch


@pytest.mark.parametrize("shards", [1, 4, 7])
def test_every_minute_carries_the_throttle_to_one_per_cent(shards: int) -> None:
    throttle = 400
    wanted = spec(events_per_second=20, hours=3, budget__maxMessagesPerSecond=throttle)
    run = Run(wanted, shards, settings=PACED, latency_seconds=0.02).finish()
    sent = sorted((d.sent, d.messages) for d in run.deliveries)
    began, ended = sent[0][0] + 1, sent[-1][0]
    assert ended - began > 180
    times, sums = np.array([when for when, _ in sent]), np.cumsum([0, *(m for _, m in sent)])
    begins = np.arange(began, ended - 60, 0.037)
    minutes = sums[np.searchsorted(times, begins + 60)] - sums[np.searchsorted(times, begins)]
    assert np.abs(minutes / (60 * throttle) - 1).max() < 0.01


@pytest.mark.parametrize("shards", [1, 4])
def test_a_broker_that_stood_still_gets_no_more_in_a_second_than_the_throttle_and_one_batch_a_shard(
    shards: int,
) -> None:
    throttle = 400
    wanted = spec(events_per_second=20, hours=1, budget__maxMessagesPerSecond=throttle)
    still = (1010.0, 1013.0)
    run = Run(wanted, shards, settings=PACED, latency_seconds=0.02, broker_stands_still=still).finish()
    a_seconds_share = throttle  # of all shards together
    assert most_in_a_second(run, "arrives") <= throttle + a_seconds_share
    assert_one_stream(run)


def test_a_stall_is_not_sprinted_after() -> None:
    run = Run(spec(events_per_second=1, hours=1, budget__maxMessagesPerSecond=50), 2, settings=PACED)
    run.go(40)
    run.clock.now += 30.0
    run.finish()
    assert most_in_a_second(run) <= 50 * 1.02 + 2 * 25
    assert_one_stream(run)


def test_the_speed_limit_binds_where_the_throttle_does_not() -> None:
    run = Run(
        spec(hours=1, clock__maxSpeed=60, budget__maxMessagesPerSecond=1000), 2, settings=PACED
    ).finish()
    took = max(d.sent for d in run.deliveries) - 1000.0
    assert 58 <= took <= 61
    assert_one_stream(run)


@pytest.mark.parametrize("shards", [1, 3])
def test_live_traffic_is_published_at_its_own_time_or_shortly_after(shards: int) -> None:
    changes = {"clock__start": "Now", "clock__maxSpeed": 1, "budget__maxMessagesPerSecond": 1000}
    wanted = spec(events_per_second=0.5, hours=0.7, **changes)
    run = Run(wanted, shards, settings=PACED)
    run.go(100)
    killed = run.clock.now
    run.kill(0)
    run.finish()
    assert_one_stream(run)
    for delivery in run.deliveries:
        times = [time_of(line) for line in delivery.payload.splitlines()]
        lag = START / 1e6 + delivery.sent - np.array(times) / 1e6
        assert lag.min() >= 0
        assert lag.max() < (1.5 if delivery.sent < killed else 30)


def test_another_pace_holds_at_once() -> None:
    run = Run(spec(hours=2, budget__maxMessagesPerSecond=2), 2, settings=PACED)
    run.go(30)
    began = run.clock.now
    run.repace(spec(hours=2, budget__maxMessagesPerSecond=1000))
    run.finish()
    assert run.clock.now - began < 30
    assert_one_stream(run)


# Together.


def test_leaders_wait_for_a_shard_that_is_away_and_it_does_not_sprint() -> None:
    run = Run(spec(hours=6, budget__maxMessagesPerSecond=2), 3, seed=2)
    run.go(10)
    run.kill(1, away=1000.0)
    while run.clock.now < 1900.0:
        run.go(1)
    clocks = [segment.clock for segment in run.position()]
    tick = run.workshop.timeline.intensity(0).tick
    bound = int(float(run.plan.pace.skew_seconds) * 1e6)
    assert bound <= furthest(run.position()) - earliest(run.position()) <= bound + tick
    assert max(clocks) < run.plan.pace.end  # type: ignore[operator]
    run.finish()
    assert_one_stream(run)


def test_shards_of_equal_pace_stay_within_one_tick_of_each_other() -> None:
    wanted = spec(events_per_second=1, hours=2, budget__maxMessagesPerSecond=100)
    run = Run(wanted, 7, settings=PACED, latency_seconds=0.02)
    tick = run.workshop.timeline.intensity(0).tick
    spreads = []
    while not run.go(20):
        at = [d.until for d in run.deliveries]
        by_shard = {d.shard: d.until for d in run.deliveries}
        if len(by_shard) == 7 and max(at) < run.plan.pace.end:  # type: ignore[operator]
            spreads.append(max(by_shard.values()) - min(by_shard.values()))
    assert max(spreads) <= tick + 5 * MINUTE


# Many events in one microsecond.


@pytest.mark.parametrize("most", [1, 2, 100])
def test_a_stop_between_batches_of_one_microsecond_repeats_nothing(most: int) -> None:
    run = Run(dense(150), 2, seed=8, settings=Settings(most_messages=most), most_in_flight=1000)
    for shards in itertools.cycle((2, 1, 3)):
        if run.go(25):
            break
        run.stop_all()
        run.follow(run.spec, shards)
    assert_one_stream(run)
    assert len(run.received()) > 100


@pytest.mark.parametrize("seed", range(4))
def test_another_pace_between_batches_of_one_microsecond_repeats_nothing(seed: int) -> None:
    run = Run(dense(150), 2, seed=seed, settings=Settings(most_messages=1), most_in_flight=1000)
    for speed in itertools.count(1):
        if run.go(25):
            break
        run.repace(dense(150, clock__maxSpeed=speed * 1000))
    assert_one_stream(run)
    assert run.received().total() == len(run.received()) > 100


def test_a_total_within_a_microsecond_is_gone_on_with_without_loss_or_repeat() -> None:
    whole, within = totals_within_a_microsecond()
    totals = within[::5]
    assert len(totals) > 3
    run = Run(dense(150, budget__maxMessages=totals[0]), 2).finish()
    for total, shards in zip(totals[1:], itertools.cycle((2, 3, 1)), strict=False):
        run.stop_all()
        run.follow(dense(150, budget__maxMessages=total), shards)
        run.finish()
        assert run.received() == dict.fromkeys(whole[:total], 1)
    run.repace(dense(150, budget__maxMessages=totals[-1] + 5))
    run.finish()
    assert run.received() == dict.fromkeys(whole[: totals[-1] + 5], 1)


PACES = pytest.mark.parametrize("throttle", ["Unlimited", 100])


@PACES
@pytest.mark.parametrize("shards", [1, 2])
def test_a_stop_at_a_total_within_a_microsecond_repeats_nothing(shards: int, throttle: object) -> None:
    """Stopped after every single step, and started again."""
    whole, first, last = two_totals_within_microseconds()
    for steps in itertools.count(1):
        run = Run(limited(first, throttle), shards, settings=Settings(most_messages=3))
        over = run.go(steps)
        run.restart().finish()
        assert run.received() == dict.fromkeys(whole[:first], 1), f"stopped after {steps} steps"
        run.stop_all()
        run.follow(limited(last, throttle), shards)
        run.go(steps)
        run.restart().finish()
        assert run.received() == dict.fromkeys(whole[:last], 1), f"stopped {steps} steps after it was raised"
        if over:
            break
    assert steps > 10


@PACES
@pytest.mark.parametrize("shards", [1, 2])
def test_a_total_within_a_microsecond_that_is_raised_at_any_moment_repeats_nothing(
    shards: int, throttle: object
) -> None:
    whole, first, last = two_totals_within_microseconds()
    for steps in itertools.count(1):
        run = Run(limited(first, throttle), shards, settings=Settings(most_messages=3))
        over = run.go(steps)
        run.repace(limited(last, throttle))
        run.go(2)
        run.restart().finish()
        assert run.received() == dict.fromkeys(whole[:last], 1), f"raised after {steps} steps"
        if over:
            break
    assert steps > 10


# What comes just before the microsecond of a total is acknowledged first, and both leave the clock at it.


def a_total_and_its_last_answer_late(seed: int) -> tuple[list[bytes], int, Run]:
    """The events of the world in order, the total, and a run that has not begun."""
    whole, within = totals_within_a_microsecond()
    times = [time_of(event) for event in whole]
    total = next(n for n in within if times[n - 1] - 1 in times)
    settings = Settings(most_messages=1)
    run = Run(limited(total, "Unlimited"), 1, seed, settings, most_in_flight=1000)
    run.latency = lambda: 5.0 if len(run.deliveries) == total - 1 else 0.1  # type: ignore[method-assign]
    return whole, total, run


@pytest.mark.parametrize("seed", range(8))
def test_a_total_is_not_said_to_be_reached_before_its_last_microsecond_is_acknowledged(seed: int) -> None:
    whole, total, run = a_total_and_its_last_answer_late(seed)
    run.finish()
    run.stop_all()
    assert run.received() == dict.fromkeys(whole[:total], 1)


@pytest.mark.parametrize("seed", range(8))
def test_a_total_that_is_raised_before_it_is_acknowledged_loses_nothing_in_a_crash(seed: int) -> None:
    whole, total, run = a_total_and_its_last_answer_late(seed)
    while len(run.deliveries) < total:
        run.go(1)
    run.go(5)
    run.repace(limited(total + 50, "Unlimited"))
    before = run.checkpoint(0)
    while run.checkpoint(0) is before:
        run.go(1)
    run.kill(0)
    run.finish()
    assert set(run.received()) == set(whole[: total + 50])


def test_a_total_that_is_lowered_and_raised_again_within_a_microsecond_repeats_nothing() -> None:
    whole, total, _ = two_totals_within_microseconds()
    run = Run(limited(total, "Unlimited"), 1).finish()
    for other in (total - 5, total + 5):
        run.stop_all()
        run.follow(limited(other, "Unlimited"), 1)
        run.finish()
    assert run.received() == dict.fromkeys(whole[: total + 5], 1)


def test_a_total_within_a_microsecond_is_not_forgotten_where_its_successor_fails() -> None:
    whole, total, _ = two_totals_within_microseconds()
    run = Run(limited(total, "Unlimited"), 1).finish()
    run.stop_all()
    run.follow(limited(total + 5, "Unlimited"), 1)
    run.refuses = True
    run.go()
    assert (failed := run.checkpoint(0)) is not None
    assert failed.state == "Failed"
    run.restart().finish()
    assert run.received() == dict.fromkeys(whole[: total + 5], 1)


def limited(total: int, throttle: object) -> Spec:
    """``dense(150)`` with a total."""
    return dense(150, budget__maxMessages=total, budget__maxMessagesPerSecond=throttle)


def two_totals_within_microseconds() -> tuple[list[bytes], int, int]:
    """The same, and of the totals two that some tens of events come before and between."""
    whole, within = totals_within_a_microsecond()
    return whole, within[len(within) // 5], within[len(within) // 3]


def totals_within_a_microsecond() -> tuple[list[bytes], list[int]]:
    """The events of ``dense(150)`` in the world's order, and the totals that end between two of one time."""
    whole = in_the_worlds_order(Run(dense(150), 1).plan)
    return whole, [n for n in range(1, len(whole)) if time_of(whole[n - 1]) == time_of(whole[n])]


def test_every_slot_belongs_to_some_shard_at_any_time() -> None:
    run = Run(spec(hours=1), 7)
    run.go(50)
    run.kill_all()
    run.follow(run.spec, 64)
    assert sum(len(segment.slots) for segment in run.position()) == SLOTS
