"""Zone rules come from the pinned wheel alone; known offsets are the oracle."""

import zoneinfo
from datetime import datetime, timedelta

import pytest
import tzdata

from diurnal_worker import zonefiles


@pytest.mark.parametrize(
    ("name", "moment", "hours"),
    [
        ("Asia/Kolkata", datetime(2026, 7, 1), 5.5),
        ("Europe/Oslo", datetime(2026, 3, 29, 1, 59), 1),
        ("Europe/Oslo", datetime(2026, 3, 29, 3, 0), 2),
        ("America/New_York", datetime(2026, 7, 1), -4),
        ("Etc/GMT-3", datetime(2026, 7, 1), 3),
    ],
)
def test_offsets_are_those_of_the_iana_rules(name: str, moment: datetime, hours: float) -> None:
    assert zonefiles.zone(name).utcoffset(moment) == timedelta(hours=hours)


def test_every_listed_zone_loads() -> None:
    assert len(zonefiles.zone_names()) > 400
    assert all(zonefiles.zone(name).key == name for name in zonefiles.zone_names())


def test_the_systems_own_files_are_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoneinfo, "TZPATH", ("/nowhere",))
    zonefiles.zone.cache_clear()
    assert zonefiles.zone("Asia/Tokyo").utcoffset(datetime(2026, 1, 1)) == timedelta(hours=9)


def test_the_version_is_the_wheels() -> None:
    assert zonefiles.TZDATA_VERSION == tzdata.IANA_VERSION


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/localtime", "Europe", "europe/oslo", "", "Europe/Oslo\0"]
)
def test_an_unknown_name_is_refused_before_any_path_is_made_of_it(name: str) -> None:
    with pytest.raises(zonefiles.UnknownZoneError, match="is no IANA time zone of tzdata"):
        zonefiles.zone(name)
