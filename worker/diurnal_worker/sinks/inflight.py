"""How many requests to have in flight: rate times round trip, and no more. Pure; time is a parameter.

Fewer leave the wire idle; more wait in some queue, where they cost memory and, after a crash, repeats.
The rule is that of BBR (Cardwell et al., "BBR: Congestion-Based Congestion Control", ACM Queue 14(5),
2016): the best delivery rate of late, times the shortest round trip of late, times a gain of two, so
that the limit doubles each round trip while that still raises the rate. A shortest round trip that has
become old is measured anew behind a nearly empty pipe. A sign of overload halves the limit at once.
"""

from __future__ import annotations

FLOOR = 4
GAIN = 2.0
ROUND_TRIP_AGES_AFTER = 10.0
RATE_FADES_BY = 0.98


class InFlight:
    """The limit on requests in flight. Seconds are any monotonic clock's."""

    def __init__(self, ceiling: int) -> None:
        """`ceiling`: never more than this many requests."""
        self._ceiling = max(1, ceiling)
        self._floor = min(FLOOR, self._ceiling)
        self._limit = float(self._floor)
        self._round_trip = float("inf")
        self._measured_at = 0.0
        self._rate = 0.0
        self._probing_since: float | None = None
        self.delivered = 0

    @property
    def limit(self) -> int:
        """How many requests may be in flight now, at least 1."""
        if self._probing_since is not None:
            return min(self._floor, max(1, int(self._limit)))
        return max(1, int(self._limit))

    def answered(self, sent_at: float, delivered_then: int, now: float, *, was_full: bool) -> None:
        """A request was acknowledged.

        delivered_then: `delivered` when it was sent. was_full: whether the limit held sending back;
        if not, the rate is the generator's and says nothing about the wire, so it only ever raises.
        """
        self.delivered += 1
        round_trip = max(now - sent_at, 1e-6)
        self._learn_round_trip(round_trip, sent_at, now)
        rate = (self.delivered - delivered_then) / round_trip
        self._rate = max(rate, self._rate * (RATE_FADES_BY if was_full else 1.0))
        aim = GAIN * self._rate * self._round_trip
        if aim > self._limit:
            self._limit = min(aim, self._limit + 1, self._ceiling)
        elif was_full:
            self._limit = max(min(self._floor, self._limit), self._limit - 1, aim)

    def overloaded(self) -> None:
        """A request was refused for want of quota, or not answered in time: halves the limit, down to one."""
        self._limit = max(1.0, self._limit / 2)
        self._rate /= 2

    def _learn_round_trip(self, round_trip: float, sent_at: float, now: float) -> None:
        probed = self._probing_since is not None and sent_at >= self._probing_since
        if round_trip <= self._round_trip or probed:
            self._round_trip = round_trip
            self._measured_at = now
            self._probing_since = None
        elif self._probing_since is None and now - self._measured_at > ROUND_TRIP_AGES_AFTER:
            self._probing_since = now
