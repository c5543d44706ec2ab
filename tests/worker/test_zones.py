"""Offsets by the quarter hour against zoneinfo, asked directly."""

import struct
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from diurnal_worker.sources import load
from diurnal_worker.zonefiles import zone
from diurnal_worker.zones import Offsets

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
QUARTER = 900
QUARTERS_A_DAY = 96
DAY = 86_400
FIRST, LAST = datetime(1972, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
# Zones that have changed their clocks a minute past the hour, or at no round time: until when.
LATE = {
    "Africa/Monrovia": 1972,
    "America/Goose_Bay": 2011,
    "America/Moncton": 2006,
    "America/St_Johns": 2011,
    "Asia/Gaza": 2011,
    "Asia/Hebron": 2011,
    "Pacific/Guam": 1976,
    "Pacific/Kiritimati": 1979,
    "Pacific/Saipan": 1976,
}
# Zones that have had another offset than whole quarters since 1972: until which second.
REFUSED = {
    "Africa/Monrovia": 63_593_070,  # 1972-01-07T00:44:30Z, from -00:44:30
    "Pacific/Kiritimati": 307_622_400,  # 1979-10-01T10:40:00Z, from -10:40
}


def seconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(seconds=1)


def offset(rules: "ZoneInfo", second: int) -> int:
    """The UTC offset in seconds."""
    local = (EPOCH + timedelta(seconds=second)).astimezone(rules).utcoffset()
    assert local is not None
    return local // timedelta(seconds=1)


def changes(name: str) -> list[int]:
    """Every second of 1972 to 2037 at which the offset changes, in order.

    Those that the zone's file lists (RFC 9636), and those of its yearly rule after the last of them, found by
    steps of 28 days and bisection: rules change twice a year.
    """
    rules = zone(name)
    listed = [at for at in listed_changes(name) if seconds(FIRST) <= at < seconds(LAST)]
    found = [at for at in listed if offset(rules, at - 1) != offset(rules, at)]
    begin = max([seconds(FIRST), *listed])
    while begin < seconds(LAST):
        end = begin + 28 * DAY
        if offset(rules, begin) != offset(rules, end):
            found.append(change_between(rules, begin, end))
        begin = end
    return [at for at in found if at < seconds(LAST)]


def listed_changes(name: str) -> list[int]:
    """The transition times of a TZif file, version 2 or later: the second of its two blocks."""
    data = files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    first = struct.unpack_from(">4sc15x6l", data)
    isutc, isstd, leap, times, types, letters = first[2:]
    second = 44 + times * 5 + types * 6 + letters + leap * 8 + isstd + isutc
    count = struct.unpack_from(">4sc15x6l", data, second)[5]
    return list(struct.unpack_from(f">{count}q", data, second + 44))


def change_between(rules: "ZoneInfo", low: int, high: int) -> int:
    """The first second of the offset at `high`, which differs from that at `low`."""
    before = offset(rules, low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(rules, middle) == before else (low, middle)
    return high


@cache
def world() -> tuple[str, ...]:
    """The zones of the world that comes with the package."""
    return tuple(sorted({name for country in load("world-2025").countries for name, _ in country.zones}))


@cache
def all_changes() -> dict[str, list[int]]:
    return {name: changes(name) for name in world()}


def test_every_zone_of_the_world_changes_on_quarter_hours_but_for_those_that_once_did_not() -> None:
    off_grid = {
        name: max(odd) for name in world() if (odd := [at for at in all_changes()[name] if at % QUARTER])
    }
    assert {name: (EPOCH + timedelta(seconds=at)).year for name, at in off_grid.items()} == LATE


def test_no_zone_of_the_world_changes_off_the_quarter_hours_since_2012() -> None:
    assert max(LATE.values()) < 2012


def test_every_offset_of_the_world_is_whole_quarters_but_for_those_that_are_refused() -> None:
    last: dict[str, int] = {}
    for name in world():
        moments = [seconds(FIRST), *all_changes()[name], seconds(LAST)]
        for at, until in pairwise(moments):
            if offset(zone(name), at) % QUARTER:
                last[name] = until
    assert last == REFUSED


def test_offsets_before_and_after_a_change_are_those_of_the_rules() -> None:
    """A change is seen from the first quarter that begins at or after it; every seventh is tried."""
    for name in world():
        offsets = Offsets([name])
        for at in all_changes()[name][::7]:
            quarter = -(-at // QUARTER)
            if quarter * QUARTER <= REFUSED.get(name, 0) + DAY:
                continue
            expected = [offset(zone(name), asked * QUARTER) * 1_000_000 for asked in (quarter - 1, quarter)]
            assert [int(offsets.at(asked)[0]) for asked in (quarter - 1, quarter)] == expected


@pytest.mark.parametrize("year", [1980, 2000, 2026, 2037, 2199])
def test_offsets_of_all_zones_are_those_of_the_rules_on_any_day(year: int) -> None:
    names = world()
    offsets = Offsets(names)
    for month in range(1, 13, 2):
        second = seconds(datetime(year, month, 28, 9, 30, tzinfo=UTC))
        expected = [offset(zone(name), second) * 1_000_000 for name in names]
        assert offsets.at(second // QUARTER).tolist() == expected


@pytest.mark.parametrize(
    ("name", "last_second_before"),
    [
        ("America/New_York", "2026-03-08T06:59:59Z"),
        ("America/New_York", "2026-11-01T05:59:59Z"),
        ("Australia/Lord_Howe", "2026-04-04T14:59:59Z"),
        ("Europe/Dublin", "2026-10-25T00:59:59Z"),
        ("Africa/Casablanca", "2026-02-15T01:59:59Z"),
        ("Pacific/Chatham", "2026-09-26T13:59:59Z"),
    ],
)
def test_a_change_takes_effect_in_its_own_quarter_hour(name: str, last_second_before: str) -> None:
    before = seconds(datetime.fromisoformat(last_second_before))
    offsets = Offsets([name])
    found = [int(offsets.at((before + later) // QUARTER)[0]) // 1_000_000 for later in (0, 1)]
    assert found == [offset(zone(name), before), offset(zone(name), before + 1)]
    assert found[0] != found[1]


def test_a_change_off_the_grid_takes_effect_at_the_next_quarter_hour() -> None:
    """St. John's turned its clocks at 00:01 until 2011: 03:31 UTC is seen from 03:45."""
    quarter = seconds(datetime(2010, 3, 14, 3, 30, tzinfo=UTC)) // QUARTER
    offsets = Offsets(["America/St_Johns"])
    assert [int(offsets.at(quarter + n)[0]) / 3.6e9 for n in (0, 1)] == [-3.5, -2.5]


def test_answers_do_not_depend_on_the_order_of_questions() -> None:
    names = ("America/New_York", "Asia/Kathmandu", "Europe/Oslo")
    start = seconds(datetime(2026, 3, 7, tzinfo=UTC)) // QUARTER
    asked = np.arange(start, start + 30 * QUARTERS_A_DAY, 17)
    one, other = Offsets(names), Offsets(names)
    forward = {int(q): one.at(int(q)).tolist() for q in asked}
    backward = {int(q): other.at(int(q)).tolist() for q in asked[::-1]}
    assert forward == backward


def test_no_two_changes_of_a_zone_fall_on_one_day() -> None:
    """A day that begins and ends with one offset is taken to keep it throughout."""
    for name, moments in all_changes().items():
        days = [at // DAY for at in moments]
        assert len(days) == len(set(days)), name


def test_the_list_of_changes_finds_those_that_are_known() -> None:
    """The oracle itself: New York in 2026 by its rule, Samoa's jump over a day by its file."""
    new_york, apia = all_changes()["America/New_York"], all_changes()["Pacific/Apia"]
    march = seconds(datetime(2026, 3, 8, 7, tzinfo=UTC))
    assert march in new_york
    assert seconds(datetime(2011, 12, 30, 10, tzinfo=UTC)) in apia


@pytest.mark.parametrize(
    ("name", "moment", "said"),
    [
        ("Africa/Monrovia", "1972-01-03T00:00:00Z", "-00:44:30 from UTC at 1972-01-03T00:00:00Z"),
        ("Pacific/Kiritimati", "1979-09-29T12:00:00Z", "-10:40:00 from UTC at 1979-09-29T00:00:00Z"),
    ],
)
def test_an_offset_of_no_whole_quarters_is_refused_with_the_remedy(name: str, moment: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^time zone {name} is {said}, .* 15 minutes: start later$"):
        Offsets([name]).at(seconds(datetime.fromisoformat(moment)) // QUARTER)


@pytest.mark.parametrize("name", REFUSED)
def test_a_zone_is_welcome_from_the_day_after_it_was_refused(name: str) -> None:
    quarter = (REFUSED[name] // DAY + 1) * QUARTERS_A_DAY
    assert int(Offsets([name]).at(quarter)[0]) == offset(zone(name), quarter * QUARTER) * 1_000_000
