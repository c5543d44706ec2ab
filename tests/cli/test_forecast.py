"""Forecasts against arithmetic by hand, a minute-by-minute sum, and messages that were really encoded."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import cos, pi
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from google.pubsub_v1.types import PublishRequest

from diurnal_api.plan import Pace, Plan
from diurnal_api.planning import first_plan
from diurnal_api.spec import Spec
from diurnal_cli.expectation import Expectation
from diurnal_cli.forecast import Forecast, forecast
from diurnal_cli.forecast_warnings import warnings_of
from diurnal_cli.message_cost import MessageCost, mean_content_bytes, messages_per_request
from diurnal_worker.arrivals import arrivals
from diurnal_worker.batching import spans
from diurnal_worker.dataset import parse_dataset
from diurnal_worker.encoding import Encoder
from diurnal_worker.events import EventMaker
from diurnal_worker.intensity import Intensity
from diurnal_worker.strata import World
from diurnal_worker.traffic import intensity_of

TOPIC = "projects/acme-prod-7/topics/user-interactions"
SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
START = 1_767_225_600 * SECOND  # Thursday, 2026-01-01T00:00:00Z
FLAT = {"hourly": [1] * 24}
HUNDRED = {"rate": {"eventsPerSecond": 100}, "activity": FLAT}
"""100 events in every second: 360,000 an hour, 8,640,000 a day."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def world_of(rows: str = "GBR,1000,1,UTC", users: int = 1000) -> World:
    table = f"alpha3,population,internet_fraction,timezone\n{rows}\n"
    return World.build(parse_dataset(table.encode(), "here.csv"), users, 42)


def spec_of(**parts: Any) -> Spec:
    return Spec.model_validate({"sink": {"pubsub": {"topic": TOPIC}}, "traffic": HUNDRED, **parts})


def plan_of(spec: Spec) -> Plan:
    shards = max(int(spec.shards), 1)
    return first_plan(spec, run="app-store-0", now=START, shards=shards, engine="1", tzdata="2026a")


def forecast_of(world: World | None = None, **parts: Any) -> Forecast:
    spec = spec_of(**parts)
    return forecast(plan_of(spec), spec, "app-store", world or world_of(), 1)


def intensity_from(world: World, **traffic: Any) -> Intensity:
    return intensity_of(world, spec_of(traffic=traffic).traffic)


def course_of(world: World, pace: Pace | None = None, **traffic: Any) -> Expectation:
    return Expectation(intensity_from(world, **traffic), pace or Pace())


def test_a_flat_curve_sends_the_mean_all_the_time() -> None:
    found = forecast_of()
    assert found.mean_rate == pytest.approx(100)
    assert found.highest == found.lowest
    assert found.highest.rate == pytest.approx(100)
    assert found.highest.at is None
    assert [hour.leg.events for hour in found.hours] == [pytest.approx(360_000)] * 24


def test_under_a_throttle_time_runs_at_budget_over_rate() -> None:
    found = forecast_of(budget={"maxMessagesPerSecond": 1000})
    assert {hour.binds for hour in found.hours} == {"maxMessagesPerSecond"}
    assert [hour.speed for hour in found.hours] == [pytest.approx(10)] * 24
    assert found.speed == pytest.approx(10)
    assert found.messages_per_second == pytest.approx(1000)


def test_the_slower_of_throttle_and_max_speed_binds() -> None:
    found = forecast_of(clock={"maxSpeed": 5})
    assert {hour.binds for hour in found.hours} == {"maxSpeed"}
    assert found.speed == pytest.approx(5)
    assert found.messages_per_second == pytest.approx(500)
    assert forecast_of(clock={"maxSpeed": 20}).speed == pytest.approx(10)


def test_dollars_a_day_bind_where_they_are_tighter() -> None:
    found = forecast_of(budget={"maxUSDPerDay": "0.5"})
    assert {hour.binds for hour in found.hours} == {"maxUSDPerDay"}
    # 464 bytes are the most that a message is billed, a TiB costs 40 dollars.
    assert found.speed == pytest.approx(0.5 * 2**40 / 40 / 464 / 86_400 / 100)


def test_without_a_limit_there_is_no_speed_and_no_real_time() -> None:
    found = forecast_of(budget={"maxMessagesPerSecond": "Unlimited"}, clock={"end": "2026-01-02T00:00:00Z"})
    assert (found.speed, found.messages_per_second) == (None, None)
    assert {(hour.speed, hour.binds) for hour in found.hours} == {(None, None)}


def test_an_end_is_a_number_of_events_and_a_real_duration() -> None:
    found = forecast_of(clock={"end": "2026-01-11T00:00:00Z"})
    assert found.ending is not None
    assert (found.ending.by, found.ending.at) == ("end", START + 10 * DAY)
    assert found.ending.leg.events == pytest.approx(86_400_000)
    assert found.ending.leg.real_seconds == pytest.approx(86_400)


def test_a_total_of_messages_ends_the_run_when_they_are_sent() -> None:
    found = forecast_of(budget={"maxMessages": 4_320_000}, clock={"end": "2026-01-11T00:00:00Z"})
    assert found.ending is not None
    assert found.ending.by == "maxMessages"
    assert found.ending.at == pytest.approx(START + DAY // 2, abs=SECOND)
    assert found.ending.leg.events == 4_320_000
    assert found.ending.leg.real_seconds == pytest.approx(4320)
    assert len(found.hours) in {12, 13}


def test_a_total_in_dollars_ends_the_run_by_the_largest_message() -> None:
    found = forecast_of(budget={"maxUSD": "1"})
    assert found.ending is not None
    assert found.ending.by == "maxUSD"
    assert found.ending.leg.events == 2**40 // (40 * 464)


def test_a_total_beyond_the_end_ends_nothing() -> None:
    found = forecast_of(budget={"maxMessages": 8_640_001}, clock={"end": "2026-01-02T00:00:00Z"})
    assert found.ending is not None
    assert found.ending.by == "end"


def test_the_cosine_is_highest_at_its_peak_hour_and_lowest_half_a_day_away() -> None:
    traffic = {"rate": {"eventsPerSecond": 100}, "activity": {"cosine": {"peakHour": 16.25, "floor": 0.2}}}
    found = forecast_of(traffic=traffic)
    assert found.highest.at == pytest.approx(START + 16.25 * HOUR, abs=60 * SECOND)
    assert found.lowest.at == pytest.approx(START + 4.25 * HOUR, abs=60 * SECOND)
    assert found.highest.rate == pytest.approx(100 / 0.6)
    assert found.lowest.rate == pytest.approx(20 / 0.6)


def test_local_time_shifts_the_peak() -> None:
    traffic = {"rate": {"eventsPerSecond": 100}, "activity": {"cosine": {"peakHour": 16, "floor": 0.2}}}
    found = forecast_of(world_of("NPL,1000,1,Asia/Kathmandu"), traffic=traffic)
    assert found.highest.at == pytest.approx(START + 10.25 * HOUR, abs=60 * SECOND)


def test_an_hourly_curve_is_linear_from_half_hour_to_half_hour() -> None:
    values = [0.0] * 24
    values[9], values[10] = 6.0, 18.0  # mean 1
    found = forecast_of(traffic={"rate": {"eventsPerSecond": 100}, "activity": {"hourly": values}})
    # At 8:30 it is 0, at 9:30 6, at 10:30 18, at 11:30 0: trapezoids of half hours, by the clock hour.
    by_hand = {8: 0.75, 9: 2.25 + 4.5, 10: 7.5 + 6.75, 11: 2.25}
    for hour in range(24):
        assert found.hours[hour].leg.events == pytest.approx(360_000 * by_hand.get(hour, 0.0)), hour
    assert found.highest.rate == pytest.approx(1800)
    assert found.highest.at == START + 10 * HOUR + HOUR // 2


def test_a_weekly_curve_is_shown_for_a_week() -> None:
    values = [1] * 120 + [2.75] * 48
    found = forecast_of(traffic={"rate": {"eventsPerSecond": 100}, "activity": {"hourly": values}})
    assert len(found.hours) == 168
    # The mean is (120 + 132) / 168 = 1.5. Hour 36 is Friday noon, hour 60 Saturday noon.
    assert found.hours[36].rate == pytest.approx(100 / 1.5)
    assert found.hours[60].rate == pytest.approx(275 / 1.5)
    assert sum(hour.leg.events for hour in found.hours) == pytest.approx(7 * 8_640_000)


def minute_by_minute(zones: dict[str, int], begin: datetime, end: datetime) -> float:
    """Events of a cosine of peak 16, floor 0.1 and 40 events a user a day: midpoints of minutes."""
    total, moment = 0.0, begin + timedelta(seconds=30)
    while moment < end:
        for zone, users in zones.items():
            local = moment.astimezone(ZoneInfo(zone))
            hours = local.hour + local.minute / 60 + local.second / 3600
            value = 0.1 + 0.9 * (1 + cos(2 * pi * (hours - 16) / 24)) / 2
            total += users * 40 / 1440 * value / 0.55
        moment += timedelta(minutes=1)
    return total


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("2026-03-28T05:07", "2026-03-30T17:20"),
        ("2026-10-24T23:40", "2026-11-02T00:01"),
        ("2026-07-01", "2026-07-09"),
    ],
)
def test_events_agree_with_the_minutes_over_changes_of_daylight_saving(begin: str, end: str) -> None:
    first, last = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (begin, end))
    world = world_of("DEU,500,1,Europe/Berlin\nUSA,300,1,America/New_York\nIND,200,1,Asia/Kolkata")
    course = course_of(
        world, rate={"eventsPerUserPerDay": 40}, activity={"cosine": {"peakHour": 16, "floor": 0.1}}
    )
    leg = course.over(*((moment - EPOCH) // timedelta(microseconds=1) for moment in (first, last)))
    zones = {"Europe/Berlin": 500, "America/New_York": 300, "Asia/Kolkata": 200}
    assert leg.events == pytest.approx(minute_by_minute(zones, first, last), rel=1e-6)


def test_both_limits_together_take_the_longer_time_of_each_tick() -> None:
    world = world_of("DEU,500,1,Europe/Berlin\nUSA,500,1,America/New_York")
    pace = Pace(messages_per_second=1000, max_speed=9)
    course = course_of(world, pace, rate={"eventsPerSecond": 100}, activity={"cosine": {"floor": 0.1}})
    begin = START + 86 * DAY  # two days before Berlin changes
    ticks = np.arange(begin, begin + 4 * DAY, course.intensity.tick) // course.intensity.tick
    counts = course.intensity.slot_means(ticks).sum(axis=1)
    expected = np.maximum(counts / 1000, course.intensity.tick / SECOND / 9).sum()
    # The forecast looks by quarter hours, the worker by its shorter ticks.
    assert course.over(begin, begin + 4 * DAY).real_seconds == pytest.approx(expected, rel=1e-4)


def test_a_constant_total_is_the_mean_times_the_time() -> None:
    course = course_of(
        world_of("DEU,500,1,Europe/Berlin\nUSA,500,1,America/New_York"),
        rate={"eventsPerSecond": 100},
        total="Constant",
    )
    assert course.over(START + 7, START + 400 * DAY).events == pytest.approx(100 * (400 * 86_400 - 7e-6))


def test_parts_of_a_stretch_add_up() -> None:
    course = course_of(world_of("USA,5,1,America/New_York"), Pace(max_speed=2), rate={"eventsPerSecond": 1})
    cuts = [START, START + 1, START + HOUR + 123_456, START + 67 * DAY + 5, START + 70 * DAY]
    parts = [course.over(a, b) for a, b in pairwise(cuts)]
    whole = course.over(cuts[0], cuts[-1])
    assert sum(part.events for part in parts) == pytest.approx(whole.events)
    assert sum(part.real_seconds for part in parts) == pytest.approx(whole.real_seconds)


def test_many_years_hold_what_the_years_hold_one_by_one() -> None:
    course = course_of(world_of("USA,5,1,America/New_York"), Pace(max_speed=2), rate={"eventsPerSecond": 1})
    years = [START + n * 365 * DAY + 12_345 for n in range(8)]
    one_by_one = sum(course.over(a, b).events for a, b in pairwise(years))
    assert course.over(years[0], years[-1]).events == pytest.approx(one_by_one, rel=1e-5)


@pytest.mark.parametrize("events", [0.5, 1000, 3_000_000, 2e9])
def test_when_is_the_inverse_of_over(events: float) -> None:
    course = course_of(world_of("USA,5,1,America/New_York"), rate={"eventsPerSecond": 7})
    at = course.when(START + 3 * HOUR, events)
    assert course.over(START + 3 * HOUR, at).events == pytest.approx(events, abs=0.1, rel=1e-5)


@pytest.mark.parametrize(
    ("encoding", "attributes"), [("JSON", ()), ("Avro", ()), ("JSON", ("event_type", "user_id"))]
)
def test_the_mean_size_is_that_of_messages_really_drawn(encoding: str, attributes: tuple[str, ...]) -> None:
    spec = spec_of(
        events={"encoding": encoding}, sink={"pubsub": {"topic": TOPIC, "attributes": list(attributes)}}
    )
    world = world_of()
    drawn = arrivals(world, intensity_of(world, spec.traffic), START // (900 * SECOND), range(1024))
    weights = spec.events.weights
    maker = EventMaker(world, weights.event_types, weights.device_types)
    rows = Encoder(maker, spec.events.encoding, "pubsub", attributes).encode(maker.make(drawn), START)
    messages = PublishRequest.pb(PublishRequest.deserialize(bytes(rows.slice(0, 30_000)))).messages
    sizes = [
        len(message.data) + sum(len(k.encode()) + len(v.encode()) for k, v in message.attributes.items())
        for message in messages
    ]
    mean = mean_content_bytes(world, spec.events, spec.sink, START)
    assert mean == pytest.approx(sum(sizes) / len(sizes), abs=0.6)


@pytest.mark.parametrize(
    ("rate", "count", "most"), [(250.0, 1500, 1000), (5000.0, 20_000, 1000), (0.2, 200, 1000), (40.0, 9, 7)]
)
def test_messages_a_request_agree_with_the_worker_batches(rate: float, count: int, most: int) -> None:
    cut = spans(
        np.arange(count, dtype=np.int64) * 10, np.arange(count) / rate, 900 * SECOND, most, 1.0, count / rate
    )
    requests = sum(span.last > span.first for span in cut)
    sink = spec_of(sink={"pubsub": {"topic": TOPIC, "maxBatchMessages": most}}).sink
    assert messages_per_request(sink, rate, float(count)) == pytest.approx(count / requests, rel=0.2)


def test_a_million_messages_cost_their_bytes() -> None:
    cost = MessageCost(content_bytes=360.0, messages_per_request=1000, usd_per_tib="40")
    assert cost.bytes_of(1_000_000) == 400_000_000
    assert float(cost.usd_of(1_000_000)) == pytest.approx(0.4e9 * 40 / 2**40, rel=1e-12)


def test_a_lonely_message_costs_a_whole_request() -> None:
    cost = MessageCost(content_bytes=360.0, messages_per_request=1, usd_per_tib="40")
    assert cost.minimum_binds
    assert cost.bytes_of(1000) == 1_000_000


def test_shards_share_slots_users_and_rates() -> None:
    found = forecast_of(world_of(users=10_000), shards=3)
    assert [share.slots for share in found.shards] == [range(341), range(341, 682), range(682, 1024)]
    # 10,000 = 9 x 1024 + 784: the first 784 slots have ten users each.
    assert [share.users for share in found.shards] == [3410, 3410, 102 * 10 + 240 * 9]
    assert sum(share.events_per_second for share in found.shards) == pytest.approx(100)
    assert sum(share.messages_per_second or 0 for share in found.shards) == pytest.approx(1000)


def test_a_budget_far_below_the_rate_is_warned_of_with_the_speed() -> None:
    found = forecast_of(budget={"maxMessagesPerSecond": 15})
    assert any(
        "100 events/s in the mean, maxMessagesPerSecond allows 15: simulated time runs at 0.15x real time"
        in text
        for text in warnings_of(found)
    )


def test_a_budget_above_the_rate_needs_no_warning() -> None:
    assert warnings_of(forecast_of()) == ()


def test_live_traffic_that_cannot_keep_up_at_noon_is_warned_of() -> None:
    live = {"start": "Now", "maxSpeed": 1}
    traffic = {"rate": {"eventsPerSecond": 100}}
    found = forecast_of(traffic=traffic, clock=live, budget={"maxMessagesPerSecond": 120})
    assert any("live traffic falls behind real time" in text for text in warnings_of(found))
    assert warnings_of(forecast_of(traffic=traffic, clock=live)) == ()


def test_more_than_the_workers_can_do_is_warned_of() -> None:
    found = forecast_of(budget={"maxMessagesPerSecond": 1_000_000})
    assert any("shards=1 generates some 200,000 at most" in text for text in warnings_of(found))


def test_a_suspended_run_is_warned_of() -> None:
    assert any("nothing runs" in text for text in warnings_of(forecast_of(suspend=True)))
    assert any("nothing runs" in text for text in warnings_of(forecast_of(shards=0)))
