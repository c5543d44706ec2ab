"""From "hours relative to UTC+3:30" to time zones of the world.

The old configuration has one number a country, counted from the clock of its author (IND 2.0 is 5.5 - 3.5;
USA -7.5 is New York in summer). Such a number knows no daylight saving and one zone a country, so where the
built-in world's zones of that country agree with it, they are the better translation; where they do not,
the number is kept as a fixed clock. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from diurnal_worker.dataset import Country
from diurnal_worker.zonefiles import zone

REFERENCE = Fraction(7, 2)
"""Hours of UTC+3:30, from which the old configuration counts."""

_WINTER_AND_SUMMER = (datetime(2026, 1, 1), datetime(2026, 7, 1))  # noqa: DTZ001 - local times, asked of each zone
_EAST, _WEST = 14, -12
_BETWEEN_HOURS = {
    Fraction(-19, 2): "Pacific/Marquesas",
    Fraction(7, 2): "Asia/Tehran",
    Fraction(9, 2): "Asia/Kabul",
    Fraction(11, 2): "Asia/Kolkata",
    Fraction(23, 4): "Asia/Kathmandu",
    Fraction(13, 2): "Asia/Yangon",
    Fraction(35, 4): "Australia/Eucla",
    Fraction(19, 2): "Australia/Darwin",
}
"""A zone without daylight saving for each clock that is not at a whole hour."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """The zones of one country with their shares, and whether they are the built-in world's."""

    zones: tuple[tuple[str, Fraction], ...]
    builtin: bool


def clocks(alpha3: str, hours: Fraction, world: Mapping[str, Country]) -> Clocks | None:
    """Return the zones of a country whose clock is `hours` off UTC+3:30; None where no clock on earth is."""
    offset = hours + REFERENCE
    country = world.get(alpha3)
    if country is not None and any(_shows(name, offset) for name, _ in country.zones):
        return Clocks(country.zones, builtin=True)
    fixed = fixed_zone(offset)
    return Clocks(((fixed, Fraction(1)),), builtin=False) if fixed else None


def fixed_zone(offset: Fraction) -> str | None:
    """Return a zone that is always `offset` hours from UTC (by today's rules); None where there is none."""
    if offset.denominator != 1:
        return _BETWEEN_HOURS.get(offset)
    if not _WEST <= offset <= _EAST:
        return None
    # POSIX counts westward: Etc/GMT-3 is UTC+3.
    return "Etc/UTC" if offset == 0 else f"Etc/GMT{-int(offset):+d}"


def _shows(name: str, offset: Fraction) -> bool:
    """Tell whether a zone's clock is at this offset in winter or summer."""
    wanted = timedelta(hours=float(offset))
    return any(zone(name).utcoffset(moment) == wanted for moment in _WINTER_AND_SUMMER)
