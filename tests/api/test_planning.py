"""From a spec to the plan that workers obey, and to the next one; expectations are written by hand."""

from typing import Any

import pytest

from diurnal_api.layout import Segment, start_position
from diurnal_api.plan import Plan
from diurnal_api.planning import (
    BudgetTooSmallError,
    TooManyRegimesError,
    UnchangeableError,
    first_plan,
    largest_billed_message,
    mean_events_per_second,
    needs_new_epoch,
    next_plan,
    pace_of,
)
from diurnal_api.spec import Spec

TOPIC = "projects/acme-prod-7/topics/user-interactions"
START = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
HOUR = 3_600_000_000
POSITION = (Segment(0, 511, START + HOUR), Segment(512, 1023, START + 2 * HOUR))


def spec_of(**parts: Any) -> Spec:
    return Spec.model_validate({"sink": {"pubsub": {"topic": TOPIC}}, **parts})


def plan_of(spec: Spec, shards: int = 1, now: int = 0) -> Plan:
    return first_plan(spec, run="app-store-0", now=now, shards=shards, engine="1", tzdata="2026a")


def test_the_first_plan_starts_every_slot_at_the_start_in_epoch_one() -> None:
    plan = plan_of(spec_of(), shards=4)
    assert (plan.epoch, plan.shards, plan.start) == (1, 4, START)
    assert plan.segments == ("0-1023@2026-01-01T00:00:00.000000Z",)
    assert [(r.start, r.traffic) for r in plan.regimes] == [(START, spec_of().traffic)]


def test_the_first_plan_takes_over_what_a_run_never_changes() -> None:
    spec = spec_of(population={"users": 7, "seed": 9}, events={"encoding": "Avro"})
    plan = plan_of(spec)
    assert (plan.population.users, plan.population.seed) == (7, 9)
    assert (plan.events, plan.sink) == (spec.events, spec.sink)


def test_now_is_resolved_once() -> None:
    spec = spec_of(clock={"start": "Now"})
    plan = plan_of(spec, now=START + 5)
    assert plan.start == START + 5
    assert next_plan(plan, spec, 1, start_position(plan.start), plan.start).start == START + 5


def test_nothing_changed_is_the_same_plan() -> None:
    plan = plan_of(spec_of())
    assert next_plan(plan, spec_of(), 1, POSITION, START + 3 * HOUR) == plan
    assert not needs_new_epoch(plan, spec_of(), 1)


@pytest.mark.parametrize(
    "change",
    [
        {"budget": {"maxMessagesPerSecond": 5}},
        {"clock": {"end": "2026-02-01T00:00:00Z"}},
        {"clock": {"maxSpeed": 60}},
    ],
)
def test_budget_end_and_speed_change_the_pace_alone(change: dict[str, Any]) -> None:
    plan, spec = plan_of(spec_of()), spec_of(**change)
    following = next_plan(plan, spec, 1, POSITION, START + 3 * HOUR)
    assert not needs_new_epoch(plan, spec, 1)
    assert following.pace == pace_of(spec, 1) != plan.pace
    assert following.model_copy(update={"pace": plan.pace}) == plan


def test_other_shards_begin_an_epoch_at_the_position_in_the_same_regime() -> None:
    plan = plan_of(spec_of())
    following = next_plan(plan, spec_of(), 3, POSITION, START + 3 * HOUR)
    assert needs_new_epoch(plan, spec_of(), 3)
    assert (following.epoch, following.shards, following.regimes) == (2, 3, plan.regimes)
    assert following.segments == (
        "0-511@2026-01-01T01:00:00.000000Z",
        "512-1023@2026-01-01T02:00:00.000000Z",
    )


def test_other_traffic_holds_from_the_furthest_reach_on() -> None:
    plan, spec = plan_of(spec_of()), spec_of(traffic={"rate": {"eventsPerSecond": 3}})
    following = next_plan(plan, spec, 1, POSITION, START + 3 * HOUR)
    assert needs_new_epoch(plan, spec, 1)
    assert following.epoch == 2
    assert [r.start for r in following.regimes] == [START, START + 3 * HOUR]
    assert following.regimes[-1].traffic == spec.traffic


def test_other_traffic_never_holds_before_a_clock_that_has_passed() -> None:
    spec = spec_of(traffic={"rate": {"eventsPerSecond": 3}})
    following = next_plan(plan_of(spec_of()), spec, 1, POSITION, START)
    assert following.regimes[-1].start == START + 2 * HOUR


def test_a_run_is_refused_more_traffics_than_its_plan_can_hold() -> None:
    plan = plan_of(spec_of())
    for number in range(1, 256):
        spec = spec_of(traffic={"rate": {"eventsPerSecond": number}})
        plan = next_plan(plan, spec, 1, POSITION, START + (3 + number) * HOUR)
    assert Plan.model_validate(plan.model_dump(mode="json", by_alias=True, exclude_none=True)) == plan
    another = spec_of(traffic={"rate": {"eventsPerSecond": 1000}})
    with pytest.raises(TooManyRegimesError, match=r"spec\.traffic changed 255 times.*restartNonce"):
        next_plan(plan, another, 1, POSITION, START + 400 * HOUR)


def test_a_regime_that_nobody_reached_is_replaced() -> None:
    reach = START + 3 * HOUR
    plan = plan_of(spec_of())
    for rate in (3, 4):
        plan = next_plan(plan, spec_of(traffic={"rate": {"eventsPerSecond": rate}}), 1, POSITION, reach)
    assert plan.epoch == 3
    assert [(r.start, r.traffic.rate.events_per_second) for r in plan.regimes] == [(START, None), (reach, 4)]


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("population.users", {"population": {"users": 5}}),
        ("population.seed", {"population": {"seed": 5}}),
        ("population.countries", {"population": {"countries": {"uri": "gs://acme/world.csv"}}}),
        ("events", {"events": {"encoding": "Avro"}}),
        ("sink", {"sink": {"discard": {}}}),
        ("clock.start", {"clock": {"start": "2026-01-02T00:00:00Z"}}),
    ],
)
def test_what_a_run_cannot_change_is_refused_by_its_name(field: str, change: dict[str, Any]) -> None:
    with pytest.raises(
        UnchangeableError, match=rf"^spec\.{field} does not change .*put it back, or begin a new run"
    ):
        next_plan(plan_of(spec_of()), spec_of(**change), 1, POSITION, START)


def test_the_pace_is_the_throttle_and_the_clock() -> None:
    pace = pace_of(spec_of(clock={"end": "2026-01-02T00:00:00Z", "maxSpeed": 60}), 1)
    assert (pace.messages_per_second, pace.max_speed, pace.end) == (1000, 60, START + 24 * HOUR)
    assert pace.max_messages is None


def test_an_unlimited_budget_paces_nothing() -> None:
    assert pace_of(spec_of(budget={"maxMessagesPerSecond": "Unlimited"}), 1).messages_per_second is None


def test_dollars_a_day_bind_where_they_are_tighter() -> None:
    # A message is billed 424 + 20 + 20 = 464 bytes at most, a TiB costs 40 dollars.
    pace = pace_of(spec_of(budget={"maxUSDPerDay": "1", "maxMessagesPerSecond": 1000}), 1)
    assert pace.messages_per_second == pytest.approx(2**40 / 40 / 464 / 86_400, rel=1e-12)
    assert pace_of(spec_of(budget={"maxUSDPerDay": "2"}), 1).messages_per_second == 1000


def test_totals_are_the_tighter_of_messages_and_dollars() -> None:
    by_usd = 25 * 2**40 // (40 * 464)
    assert pace_of(spec_of(budget={"maxUSD": "25"}), 1).max_messages == by_usd
    assert pace_of(spec_of(budget={"maxUSD": "25", "maxMessages": 50}), 1).max_messages == 50
    assert pace_of(spec_of(budget={"maxUSD": "25", "maxMessages": by_usd + 1}), 1).max_messages == by_usd


def test_attributes_and_encoding_change_the_largest_message() -> None:
    plain, avro = spec_of(), spec_of(events={"encoding": "Avro"})
    rich = spec_of(sink={"pubsub": {"topic": TOPIC, "attributes": ["event_id", "country_code"]}})
    assert largest_billed_message(plain.events, plain.sink) == 464
    assert largest_billed_message(avro.events, avro.sink) == 240
    assert (
        largest_billed_message(rich.events, rich.sink) == 464 + len("event_id") + 36 + len("country_code") + 3
    )


def test_the_mean_rate_is_the_same_however_it_is_given() -> None:
    users = spec_of(population={"users": 86_400}, traffic={"rate": {"eventsPerUserPerDay": 2.5}})
    world = spec_of(traffic={"rate": {"eventsPerSecond": 2.5}})
    assert mean_events_per_second(users) == mean_events_per_second(world) == 2.5


def test_shards_may_be_a_minute_of_real_time_apart_and_half_an_hour_at_least() -> None:
    def fast(speed: float | None) -> float:
        clock = {} if speed is None else {"maxSpeed": speed}
        return float(pace_of(spec_of(traffic={"rate": {"eventsPerSecond": 2}}, clock=clock), 1).skew_seconds)

    assert fast(None) == 60 * 500
    assert fast(100) == 60 * 100
    assert fast(1) == 1800


def test_slow_runs_over_many_shards_count_on_small_requests() -> None:
    """Each request is billed 1,000 bytes at least: a budget that forgot it would cost twice as much."""
    thrifty = {"budget": {"maxMessagesPerSecond": 1000, "maxUSDPerDay": "0.001"}}
    pubsub = {"sink": {"pubsub": {"topic": "projects/my-project/topics/events"}}}
    slow = pace_of(spec_of(**thrifty, **pubsub), 16)
    requests_a_day = float(slow.messages_per_second or 0) * 86_400
    assert requests_a_day * 1000 * 40 / 2**40 <= 0.001
    fast = pace_of(spec_of(budget={"maxMessagesPerSecond": 1000, "maxUSDPerDay": "1"}, **pubsub), 4)
    assert float(fast.messages_per_second or 0) * 86_400 * 1000 * 40 / 2**40 > 1


def test_a_budget_that_pays_for_no_message_is_refused_by_its_name() -> None:
    with pytest.raises(BudgetTooSmallError, match=r"spec\.budget\.maxUSD pays for no message"):
        pace_of(spec_of(budget={"maxUSD": "0.000001", "usdPerTiB": "900000000"}), 1)
