"""The process, straight from its definition: slow, plain Python, one event at a time.

The tests hold the engine against this module, so it shares nothing with it: no numpy, no tables, no
integer tricks. A stratum is the users of one country in one time zone, and its intensity is

    lambda_s(t) = n_s * r * m(local time) / mean(m)

with r events a user and second. `total: Constant` multiplies all of them by mean(Lambda) / Lambda(t),
Lambda being their sum. Instants are int microseconds since 1970-01-01T00:00:00Z. Time zones come from the
tzdata wheel and not from the machine, so that every machine agrees.

Sources: Lewis and Shedler (1979), "Simulation of nonhomogeneous Poisson processes by thinning"; Hamilton's
method of largest remainders; two-point Gauss-Legendre quadrature (Abramowitz and Stegun 25.4.29).
"""

import functools
import importlib.resources
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Protocol
from zoneinfo import ZoneInfo

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SLOTS = 1024
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GAUSS = 1 / math.sqrt(3)

# Hourly cellular traffic of Shanghai relative to its week's mean, Monday first, local time (Xu et al. 2017,
# IEEE 7762185): a copy of its own, so that a slip in the engine's copy shows.
# fmt: off
MEASURED_WEEK = (
    0.5105, 0.3602, 0.2554, 0.2050, 0.2017, 0.2691, 0.4658, 0.8892, 1.1612, 1.3222, 1.3788, 1.4020,
    1.4176, 1.4251, 1.4161, 1.3749, 1.2947, 1.2373, 1.2331, 1.2556, 1.2963, 1.2715, 1.1470, 0.8712,
    0.5579, 0.3870, 0.2739, 0.2221, 0.2103, 0.2857, 0.5398, 0.8503, 1.1830, 1.3521, 1.4025, 1.4286,
    1.4288, 1.4191, 1.4118, 1.3685, 1.3024, 1.2527, 1.2310, 1.2531, 1.2828, 1.2678, 1.1391, 0.8845,
    0.5920, 0.3885, 0.2738, 0.2244, 0.2169, 0.2713, 0.4667, 0.8393, 1.1688, 1.3168, 1.3989, 1.4223,
    1.4273, 1.4280, 1.4150, 1.3654, 1.3063, 1.2541, 1.2450, 1.2734, 1.3236, 1.2864, 1.2097, 0.8926,
    0.5764, 0.4005, 0.2746, 0.2261, 0.2125, 0.2737, 0.4992, 0.7897, 1.0898, 1.3008, 1.3852, 1.4147,
    1.4263, 1.4172, 1.4031, 1.3527, 1.2862, 1.2491, 1.2463, 1.2749, 1.3113, 1.2817, 1.1686, 0.9421,
    0.5878, 0.3816, 0.2740, 0.2208, 0.2029, 0.2475, 0.4675, 0.8171, 1.1328, 1.3186, 1.4032, 1.4259,
    1.4149, 1.4000, 1.3834, 1.3548, 1.3046, 1.2644, 1.2576, 1.2789, 1.2857, 1.2551, 1.1185, 0.9080,
    0.7597, 0.5294, 0.3704, 0.2874, 0.2590, 0.2956, 0.4674, 0.6734, 0.9608, 1.1972, 1.3403, 1.3969,
    1.4147, 1.3847, 1.3667, 1.3511, 1.3278, 1.3090, 1.3049, 1.3445, 1.3904, 1.3762, 1.2856, 1.0270,
    0.7861, 0.5597, 0.3790, 0.2892, 0.2388, 0.2443, 0.4024, 0.6361, 0.8996, 1.1369, 1.3123, 1.3571,
    1.3717, 1.3775, 1.3765, 1.3789, 1.3798, 1.3620, 1.3619, 1.3845, 1.4206, 1.4035, 1.3310, 1.0798,
)
# fmt: on


class Country(Protocol):
    """What apportionment needs to know of a country; zones are (IANA zone, share of the people)."""

    @property
    def alpha3(self) -> str: ...
    @property
    def population(self) -> int: ...
    @property
    def internet_fraction(self) -> Fraction: ...
    @property
    def zones(self) -> tuple[tuple[str, Fraction], ...]: ...


@dataclass(frozen=True)
class Stratum:
    """The users `first` to `first + users - 1` of the axis: one country in one zone."""

    country: str
    zone: str
    first: int
    users: int


@dataclass(frozen=True)
class Activity:
    """A curve over local time: `value(hours since local Monday 00:00)`, its mean and its bound."""

    value: Callable[[float], float]
    mean: float
    highest: float


def instant(text: str) -> int:
    """Microseconds since the epoch of an RFC 3339 time."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


@functools.cache
def time_zone(name: str) -> ZoneInfo:
    """The zone by the rules of the tzdata wheel."""
    with importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def local_hours(zone: str, time: int) -> float:
    """Hours since Monday 00:00 on the clocks of the zone, in [0, 168)."""
    local = (EPOCH + timedelta(microseconds=time)).astimezone(time_zone(zone))
    day = local.weekday() * 24 + local.hour
    return day + local.minute / 60 + local.second / 3600 + local.microsecond / 3.6e9


def cosine(peak_hour: float, floor: float) -> Activity:
    """Day and night: 1 at the peak hour, `floor` twelve hours later."""

    def value(hours: float) -> float:
        return floor + (1 - floor) * (1 + math.cos((hours - peak_hour) * 2 * math.pi / 24)) / 2

    return Activity(value, mean=floor + (1 - floor) / 2, highest=1.0)


def hourly(values: Sequence[float]) -> Activity:
    """24 or 168 values; value i stands at HH:30, linear between, cyclic, Monday first."""
    count = len(values)

    def value(hours: float) -> float:
        place = (hours - 0.5) % count
        before = math.floor(place) % count
        weight = place - math.floor(place)
        return (1 - weight) * values[before] + weight * values[(before + 1) % count]

    return Activity(value, mean=math.fsum(values) / count, highest=max(values))


def apportion(countries: Iterable[Country], users: int) -> list[Stratum]:
    """The strata in axis order (alpha3, zone): largest remainders, ties to the first on the axis.

    Weight of a stratum: population x internet fraction x share of the zone, in exact fractions.
    """
    weights = {
        (country.alpha3, zone): country.population * country.internet_fraction * share
        for country in countries
        for zone, share in country.zones
    }
    keys = sorted(weights)
    whole = sum(weights.values(), Fraction(0))
    quotas = {key: users * weights[key] / whole for key in keys}
    seats = {key: math.floor(quotas[key]) for key in keys}
    by_remainder = sorted(keys, key=lambda key: seats[key] - quotas[key])  # stable: ties keep axis order
    for key in by_remainder[: users - sum(seats.values())]:
        seats[key] += 1
    return list(_laid_out(seats))


def _laid_out(seats: dict[tuple[str, str], int]) -> Iterator[Stratum]:
    first = 0
    for (country, zone), users in seats.items():
        yield Stratum(country, zone, first, users)
        first += users


class Reference:
    """The intensity of a world of strata under one activity and one rate."""

    def __init__(
        self, strata: Sequence[Stratum], activity: Activity, per_user_and_day: float, constant: bool = False
    ) -> None:
        self.strata = strata
        self.activity = activity
        self.per_user_and_second = per_user_and_day / 86_400
        self.constant = constant
        self.piece = 5 * MINUTE if constant else 15 * MINUTE  # a quotient of curves is less smooth than one
        self.users = sum(stratum.users for stratum in strata)
        self.zones: dict[str, int] = {}
        for stratum in strata:
            self.zones[stratum.zone] = self.zones.get(stratum.zone, 0) + stratum.users
        self._user_means: dict[tuple[str, int, int, int], float] = {}
        self._factors: dict[int, float] = {}

    @property
    def mean(self) -> float:
        """Events a second of the whole world, over a nominal day or week."""
        return self.users * self.per_user_and_second

    def user_rate(self, zone: str, time: int) -> float:
        """Events a second of one user who lives in the zone."""
        return self._diurnal(zone, time) * self._factor(time)

    def rate(self, stratum: Stratum, time: int) -> float:
        """Events a second of a stratum: lambda_s(t)."""
        return stratum.users * self.user_rate(stratum.zone, time)

    def world_rate(self, time: int) -> float:
        """Events a second of the world."""
        return math.fsum(users * self.user_rate(zone, time) for zone, users in self.zones.items())

    def user_mean(self, zone: str, start: int, end: int, piece: int | None = None) -> float:
        """Expected events of one user in [start, end), by quadrature over pieces of a fixed grid.

        The rule never looks at the ends of a piece, so a jump there (daylight saving) does no harm; curves
        must be smooth within, and every zone of today jumps on whole quarters of an hour.
        """
        piece = piece or self.piece
        key = (zone, start, end, piece)
        if key not in self._user_means:
            rate = functools.partial(self.user_rate, zone)
            self._user_means[key] = math.fsum(_gauss(rate, *cut) for cut in _pieces(start, end, piece))
        return self._user_means[key]

    def expected(self, stratum: Stratum, start: int, end: int, piece: int | None = None) -> float:
        """Expected events of a stratum in [start, end)."""
        return stratum.users * self.user_mean(stratum.zone, start, end, piece) if stratum.users else 0.0

    def world_expected(self, start: int, end: int, piece: int | None = None) -> float:
        """Expected events of the world in [start, end)."""
        means = (
            users * self.user_mean(zone, start, end, piece) for zone, users in self.zones.items() if users
        )
        return math.fsum(means)

    def slot_expected(self, slot: int, start: int, end: int) -> float:
        """Expected events in [start, end) of the users whose index leaves the remainder `slot`."""
        return math.fsum(
            sum(1 for user in range(s.first, s.first + s.users) if user % SLOTS == slot)
            * self.user_mean(s.zone, start, end)
            for s in self.strata
        )

    def thinned(self, start: int, end: int, generator: random.Random) -> Iterator[tuple[float, int, int]]:
        """One event after another: (time in microseconds, index of the stratum, user).

        Candidates come at the highest rate that the world could have; one at time t stays with
        probability Lambda(t) / highest and then belongs to stratum s with probability lambda_s / Lambda.
        """
        highest = self.mean * (1 if self.constant else self.activity.highest / self.activity.mean)
        time = float(start)
        while True:
            time += generator.expovariate(highest) * SECOND
            if time >= end:
                return
            rates = [self.rate(stratum, int(time)) for stratum in self.strata]
            if generator.random() * highest < math.fsum(rates):
                chosen = generator.choices(range(len(rates)), rates)[0]
                stratum = self.strata[chosen]
                yield time, chosen, stratum.first + generator.randrange(stratum.users)

    def _diurnal(self, zone: str, time: int) -> float:
        return self.per_user_and_second * self.activity.value(local_hours(zone, time)) / self.activity.mean

    def _factor(self, time: int) -> float:
        if not self.constant:
            return 1.0
        if time not in self._factors:
            diurnal = math.fsum(users * self._diurnal(zone, time) for zone, users in self.zones.items())
            self._factors[time] = self.mean / diurnal
        return self._factors[time]


def _pieces(start: int, end: int, piece: int) -> Iterator[tuple[int, int]]:
    while start < end:
        stop = min(end, (start // piece + 1) * piece)
        yield start, stop
        start = stop


def _gauss(rate: Callable[[int], float], start: int, end: int) -> float:
    middle, half = (start + end) / 2, (end - start) / 2
    near, far = rate(int(middle - half * GAUSS)), rate(int(middle + half * GAUSS))
    return (near + far) / 2 * (end - start) / SECOND
