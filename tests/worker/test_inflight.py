"""The limit on requests in flight, against a wire of known rate and round trip, simulated in a few lines."""

from __future__ import annotations

import heapq

import pytest

from diurnal_worker.sinks.inflight import FLOOR, InFlight


def limit_on(
    wire_rate: float, round_trip: float, seconds: float, ceiling: int = 10_000, overloads: int = 0
) -> list[int]:
    """The limits over time of a sender that always has more to send, on a wire that serves one request
    after another at `wire_rate` a second and adds `round_trip` seconds to each."""
    in_flight, now, free_at, limits = InFlight(ceiling), 0.0, 0.0, [0]
    for _ in range(overloads):
        in_flight.overloaded()
    answers: list[tuple[float, float, int]] = []
    while now < seconds:
        while len(answers) < in_flight.limit:
            free_at = max(free_at, now) + 1 / wire_rate
            heapq.heappush(answers, (free_at + round_trip, now, in_flight.delivered))
        now, sent_at, delivered_then = heapq.heappop(answers)
        in_flight.answered(sent_at, delivered_then, now, was_full=True)
        limits.append(in_flight.limit)
    return limits


@pytest.mark.parametrize(("wire_rate", "round_trip"), [(1000, 0.05), (200, 0.2), (5000, 0.01)])
def test_the_limit_finds_rate_times_round_trip_and_stays_below_a_few_times_that(
    wire_rate: float, round_trip: float
) -> None:
    limits = limit_on(wire_rate, round_trip, seconds=20)
    needed = wire_rate * round_trip
    assert needed <= limits[-1] <= 4 * needed
    assert max(limits) <= 4 * needed


def test_the_limit_never_exceeds_the_ceiling() -> None:
    assert max(limit_on(1000, 0.5, seconds=10, ceiling=64)) == 64


def test_an_old_round_trip_is_measured_anew_behind_a_nearly_empty_pipe() -> None:
    assert FLOOR in limit_on(1000, 0.05, seconds=25)[1000:]


def test_overload_halves_the_limit_and_never_stops_it() -> None:
    in_flight = InFlight(64)
    for _ in range(20):
        in_flight.overloaded()
    assert in_flight.limit == 1


def test_after_overload_the_limit_begins_at_one_and_finds_rate_times_round_trip_again() -> None:
    limits = limit_on(1000, 0.05, seconds=20, overloads=20)
    assert limits[1] <= 2
    assert 50 <= limits[-1] <= 200


def test_a_slow_generator_does_not_lower_the_limit() -> None:
    in_flight = InFlight(64)
    before = in_flight.limit
    for second in range(60):
        in_flight.answered(second, in_flight.delivered, second + 0.02, was_full=False)
    assert in_flight.limit >= before
